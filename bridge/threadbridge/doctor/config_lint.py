"""What goes wrong without an error: read from the settings and from what a store holds, one sentence each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

from threadbridge.ports import ObjectKind, Session, UpstreamCapabilities, Wire
from threadbridge.settings import ModelOverride, Settings
from threadbridge.translation.capability_fallbacks import resolve_history_mode
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.translation.models.data import CONTEXT_WINDOWS
from threadbridge.translation.models.listing import build_model_row
from threadbridge.translation.models.policy import ModelPolicy
from threadbridge.translation.models.resolution import get_base_model, resolve_model

LintKind: TypeAlias = Literal["model", "unsearched", "instructions", "prompt", "truncation", "history"]

#: The reusable prompts of OpenAI end on this day (mapping §17).
PROMPTS_END = date(2026, 11, 30)
_PROMPT_ID = re.compile(r"\bpmpt_\w+")
#: A window of so many tokens cuts nothing that anybody pays for gladly.
_WIDE_WINDOW = 1_000_000
#: The newest runs of a thread, looked at for one that uses what the thread has.
_RUNS_PER_THREAD = 20
#: Ids named in one sentence.
_MAX_LISTED_IDS = 3


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One thing that happens silently, and what to do about it."""

    kind: LintKind
    message: str


def lint_store(
    session: Session, settings: Settings, models: ModelPolicy, profile: UpstreamCapabilities, today: date
) -> Sequence[LintWarning]:
    """What the newest assistants, threads and runs fall into; so many of each as the settings say."""
    most = settings.doctor.objects
    assistants = session.get_page(ObjectKind.ASSISTANT, limit=most, order="desc").data
    threads = session.get_page(ObjectKind.THREAD, limit=most, order="desc").data
    runs = session.get_page(ObjectKind.RUN, limit=most, order="desc").data
    return [
        *_lint_pinned_models(assistants, settings, models, today),
        *_lint_unlisted_models(assistants, settings, models, today),
        *_lint_unsearched_files(session, assistants, threads, profile),
        *_lint_overridden_instructions(assistants, runs),
        *_lint_reusable_prompts(assistants, today),
        *_lint_model_windows(assistants, settings),
    ]


def lint_settings(
    settings: Settings, models: ModelPolicy, profile: UpstreamCapabilities, today: date
) -> Sequence[LintWarning]:
    """What the configuration alone falls into, with a service of this profile."""
    return [
        *_lint_ending_overrides(settings, models, today),
        *_lint_context_tokens(settings),
        *_lint_history_mode(settings, profile),
    ]


# -- Models --------------------------------------------------------------------------------------------------------


def _lint_pinned_models(
    assistants: Sequence[Wire], settings: Settings, models: ModelPolicy, today: date
) -> Iterator[LintWarning]:
    """Assistants whose model has ended or will and for whom none was chosen, those that end first on top."""
    counts = Counter(each["model"] for each in assistants if not _has_model_override(each, settings))
    rows = [build_model_row(name, models, today) for name in counts]
    dated = [(row.shutdown_date, row) for row in rows if row.shutdown_date is not None]
    for day, row in sorted(dated, key=lambda each: (each[0], each[1].model)):
        who = _format_count(counts[row.model], "assistant is", "assistants are")
        ends = f"which ended on {day}" if row.state == "retired" else f"which ends on {day}"
        when = "is asked in its place" if row.state == "retired" else "is asked from then on"
        follows = f"{row.replacement} {when}" if row.replacement else "no successor is known"
        dropped = f", without {', '.join(row.dropped_parameters)}" if row.replacement and row.dropped_parameters else ""
        yield LintWarning(
            "model",
            f"{who} pinned to {row.model}, {ends}: {follows}{dropped}. Choose with "
            f'`models."{row.model}".model`, and try it.',
        )


def _has_model_override(assistant: Wire, settings: Settings) -> bool:
    override = settings.per_assistant.get(assistant["id"]) or settings.models.get(assistant["model"])
    return override is not None and override.model is not None


def _lint_unlisted_models(
    assistants: Sequence[Wire], settings: Settings, models: ModelPolicy, today: date
) -> Iterator[LintWarning]:
    """Models that the service would be asked for and does not have."""
    if models.catalog is None:
        return
    names_by_model: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for assistant in assistants:
        names_by_model[_resolve_asked_model(assistant, settings, models, today)][assistant["model"]] += 1
    for model, pinned in names_by_model.items():
        if model in models.catalog.shutdown_dates:
            continue
        for name, count in pinned.items():
            who = _format_count(count, "assistant", "assistants")
            instead = "" if model == name else f" (for {name})"
            yield LintWarning(
                "model",
                f"The runs of {who} ask for {model}{instead}, which is not among the models of the service: they fail "
                f'where it does not answer to any name. Choose one that it has with `models."{name}".model`.',
            )


def _resolve_asked_model(assistant: Wire, settings: Settings, models: ModelPolicy, today: date) -> str:
    return resolve_model(
        assistant["model"],
        requested_effort=None,
        today=today,
        overrides=models.models,
        override=settings.per_assistant.get(assistant["id"]),
        shutdown_dates=models.catalog.shutdown_dates if models.catalog is not None else {},
        openai_models=models.openai_models,
    ).model


def _lint_ending_overrides(settings: Settings, models: ModelPolicy, today: date) -> Iterator[LintWarning]:
    """A model that was chosen is asked whatever becomes of it: nobody follows its retirement."""
    policy = ModelPolicy(catalog=models.catalog, openai_models=models.openai_models)
    for key, override in _iter_overrides(settings):
        row = build_model_row(override.model, policy, today) if override.model else None
        if row is None or row.shutdown_date is None:
            continue
        ends = "ended" if row.state == "retired" else "ends"
        yield LintWarning(
            "model", f"`{key}.model` is {row.model}, which {ends} on {row.shutdown_date}; choose another."
        )


# -- Tools and instructions ----------------------------------------------------------------------------------------


def _lint_unsearched_files(
    session: Session, assistants: Sequence[Wire], threads: Sequence[Wire], profile: UpstreamCapabilities
) -> Iterator[LintWarning]:
    """Files and stores that nothing looks into: the tool is not among those of the run, or the service has none."""
    for tool in HOSTED_TOOLS.values():
        kind, field = tool.type, tool.resource_kind
        if field is None:
            continue
        holders = [each for each in (*assistants, *threads) if _get_resource_ids(each, kind, field)]
        if holders and not tool.is_supported(profile):
            yield LintWarning(
                "unsearched",
                f"The {field} of {_format_ids(holders)} are for {kind}, which the service behind lacks: nothing looks "
                "into them.",
            )
            continue
        idle = [each for each in holders if not _uses_tool(session, each, kind)]
        if idle:
            yield LintWarning(
                "unsearched",
                f"Nothing looks into the {field} of {_format_ids(idle)}: {kind} is not among the tools. Add it to the "
                "assistant or to the run.",
            )


def _get_resource_ids(holder: Wire, kind: str, field: str) -> Any:
    return ((holder.get("tool_resources") or {}).get(kind) or {}).get(field)


def _uses_tool(session: Session, holder: Wire, kind: str) -> bool:
    """Whether the assistant has the tool, or one of the thread's newest runs; a thread without any is not judged."""
    if holder["object"] == "assistant":
        return _has_tool(holder, kind)
    runs = session.get_page(ObjectKind.RUN, limit=_RUNS_PER_THREAD, order="desc", thread_id=holder["id"]).data
    return not runs or any(_has_tool(run, kind) for run in runs)


def _has_tool(holder: Wire, kind: str) -> bool:
    return any(tool["type"] == kind for tool in holder["tools"])


def _lint_overridden_instructions(assistants: Sequence[Wire], runs: Sequence[Wire]) -> Iterator[LintWarning]:
    """`instructions` of a run replace the assistant's; only `additional_instructions` are added to them (A49)."""
    own = {each["id"]: each["instructions"] for each in assistants if each["instructions"]}
    replaced: defaultdict[str, int] = defaultdict(int)
    for run in runs:
        if (instructions := own.get(run["assistant_id"])) and instructions not in (run["instructions"] or ""):
            replaced[run["assistant_id"]] += 1
    for assistant_id, count in replaced.items():
        yield LintWarning(
            "instructions",
            f"{_format_count(count, 'run', 'runs')} of {assistant_id} did not have its instructions: those of the run "
            "took their place (or they were changed since). To add to them, send `additional_instructions`.",
        )


def _lint_reusable_prompts(assistants: Sequence[Wire], today: date) -> Iterator[LintWarning]:
    """Assistants that name a reusable prompt of OpenAI's."""
    for assistant in assistants:
        texts = [assistant["instructions"] or "", *assistant["metadata"].values()]
        named = dict.fromkeys(prompt for text in texts for prompt in _PROMPT_ID.findall(str(text)))
        if named:
            ends = "end" if today < PROMPTS_END else "ended"
            yield LintWarning(
                "prompt",
                f"{assistant['id']} names {', '.join(named)}: OpenAI's prompts {ends} on {PROMPTS_END}. Put the text "
                "into the assistant's instructions.",
            )


# -- Truncation ----------------------------------------------------------------------------------------------------


def _lint_model_windows(assistants: Sequence[Wire], settings: Settings) -> Iterator[LintWarning]:
    """Models whose window is so wide that `auto` never cuts, or that nobody here knows."""
    if settings.truncation.context_tokens is not None:
        return
    for name in dict.fromkeys(each["model"] for each in assistants):
        window = CONTEXT_WINDOWS.get(get_base_model(name))
        bounded = settings.models.get(name, ModelOverride()).context_tokens is not None
        if bounded or (window is not None and window < _WIDE_WINDOW):
            continue
        if window is not None:
            known = f"The window of {name} holds {window:,} tokens, so threads are hardly ever cut"
        else:
            assumed = settings.truncation.unknown_model_window
            known = f"Nobody here knows the window of {name}, and {assumed:,} tokens are assumed"
        yield LintWarning("truncation", f'{known}: bound what a run is billed with `models."{name}".context_tokens`.')


def _lint_context_tokens(settings: Settings) -> Iterator[LintWarning]:
    """More than the model an assistant was made for could be shown."""
    if (everywhere := settings.truncation.context_tokens) is not None and everywhere >= _WIDE_WINDOW:
        yield LintWarning("truncation", f"`truncation.context_tokens` is {everywhere:,}: threads are hardly ever cut.")
    for key, override in _iter_overrides(settings):
        if override.context_tokens is not None and override.context_tokens >= _WIDE_WINDOW:
            yield LintWarning(
                "truncation", f"`{key}.context_tokens` is {override.context_tokens:,}: threads are hardly ever cut."
            )


def _lint_history_mode(settings: Settings, profile: UpstreamCapabilities) -> Iterator[LintWarning]:
    """What is asked of a service that it cannot do for the history of threads."""
    _, lost = resolve_history_mode(settings.history, profile)
    if lost is not None:
        yield LintWarning("history", lost)
    if settings.truncation.auto == "compact" and not profile.compaction:
        yield LintWarning(
            "history", "`truncation.auto` is 'compact', and the service compacts nothing: set it to 'drop'."
        )


# -- Words ---------------------------------------------------------------------------------------------------------


def _iter_overrides(settings: Settings) -> Iterable[tuple[str, ModelOverride]]:
    yield from ((f'models."{name}"', override) for name, override in settings.models.items())
    yield from ((f"per_assistant.{name}", override) for name, override in settings.per_assistant.items())


def _format_count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _format_ids(holders: Sequence[Wire]) -> str:
    ids = [each["id"] for each in holders[:_MAX_LISTED_IDS]]
    more = len(holders) - len(ids)
    return ", ".join(ids) + (f" and {more} more" if more else "")
