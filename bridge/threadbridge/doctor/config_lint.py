"""Finds problems in the settings and the store that raise no error: one warning each."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from threadbridge.api_types import AssistantObject, JsonMapping, RunObject, ThreadObject, is_json_object
from threadbridge.ports import ObjectKind, Session, Store, ThreadMark, UpstreamCapabilities
from threadbridge.settings import ModelOverride, Settings
from threadbridge.translation.capability_fallbacks import resolve_history_mode
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.translation.models.data import CONTEXT_WINDOWS
from threadbridge.translation.models.listing import build_model_row
from threadbridge.translation.models.resolution import ModelCatalog, ModelPolicy, get_base_model, resolve_model

LintKind: TypeAlias = Literal["model", "unsearched", "instructions", "prompt", "truncation", "history", "adopted"]

#: The day on which OpenAI shuts down reusable prompts (mapping §17).
PROMPTS_END = date(2026, 11, 30)
_PROMPT_ID = re.compile(r"\bpmpt_\w+")
#: With a window of so many tokens, truncation starts only when prompts are expensive.
_WIDE_WINDOW = 1_000_000
#: How many of a thread's newest runs are checked for a tool.
_RUNS_PER_THREAD = 20
#: The most ids in one message.
_MAX_LISTED_IDS = 3


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One problem, and how to solve it."""

    kind: LintKind
    message: str


async def lint_configuration(
    settings: Settings,
    store: Store | None,
    profile: UpstreamCapabilities,
    catalog: ModelCatalog | None,
    *,
    openai_models: bool,
) -> Sequence[LintWarning]:
    """The warnings about the settings and, if there is one, the store. Raises StoreError."""
    models = ModelPolicy(
        settings.models, settings.per_assistant, settings.policies.sampling, catalog, openai_models=openai_models
    )
    today = datetime.fromtimestamp(time.time(), UTC).date()
    warnings = lint_settings(settings, models, profile, today)
    if store is None:
        return warnings
    store_warnings = await store.read(
        lambda session: lint_store(session, settings, models, profile, today), tenant=settings.tenant
    )
    return [*warnings, *store_warnings]


def lint_store(
    session: Session, settings: Settings, models: ModelPolicy, profile: UpstreamCapabilities, today: date
) -> Sequence[LintWarning]:
    """Warnings about the newest assistants, threads and runs, up to `doctor.objects` of each."""
    most = settings.doctor.objects
    assistants: Sequence[AssistantObject] = session.get_page(ObjectKind.ASSISTANT, limit=most, order="desc").data
    threads: Sequence[ThreadObject] = session.get_page(ObjectKind.THREAD, limit=most, order="desc").data
    runs: Sequence[RunObject] = session.get_page(ObjectKind.RUN, limit=most, order="desc").data
    return [
        *_lint_pinned_models(assistants, settings, models, today),
        *_lint_unlisted_models(assistants, settings, models, today),
        *_lint_unsearched_files(session, assistants, threads, profile),
        *_lint_overridden_instructions(assistants, runs),
        *_lint_reusable_prompts(assistants, today),
        *_lint_model_windows(assistants, settings),
        *_lint_adopted_threads(session),
    ]


def lint_settings(
    settings: Settings, models: ModelPolicy, profile: UpstreamCapabilities, today: date
) -> Sequence[LintWarning]:
    """Warnings about the settings, with a service of this profile."""
    warnings: list[LintWarning] = []
    overrides = [(f'models."{name}"', override) for name, override in settings.models.items()]
    overrides += [(f"per_assistant.{name}", override) for name, override in settings.per_assistant.items()]
    policy = ModelPolicy(catalog=models.catalog, openai_models=models.openai_models)
    for key, override in overrides:
        # A configured model is requested also after its shutdown.
        row = build_model_row(override.model, policy, today) if override.model else None
        if row is not None and row.shutdown_date is not None:
            ends = "ended" if row.state == "retired" else "ends"
            message = f"`{key}.model` is {row.model}, which {ends} on {row.shutdown_date}; choose another."
            warnings.append(LintWarning("model", message))
    budgets = [("truncation", settings.truncation.context_tokens)]
    budgets += [(key, override.context_tokens) for key, override in overrides]
    for key, tokens in budgets:
        if tokens is not None and tokens >= _WIDE_WINDOW:
            message = f"`{key}.context_tokens` is {tokens:,}: threads are rarely truncated."
            warnings.append(LintWarning("truncation", message))
    _, history_warning = resolve_history_mode(settings.history, profile)
    if history_warning is not None:
        warnings.append(LintWarning("history", history_warning))
    if settings.truncation.auto == "compact" and not profile.compaction:
        message = "`truncation.auto` is 'compact', but the service does not support compaction: set it to 'drop'."
        warnings.append(LintWarning("history", message))
    return warnings


def _lint_adopted_threads(session: Session) -> Iterator[LintWarning]:
    if count := session.count_thread_marks(ThreadMark.ADOPTED):
        who = _format_count(count, "thread was", "threads were")
        yield LintWarning(
            "adopted",
            f"{who} adopted: a client used an unknown id, and the thread began empty (`policies.unknown_thread`). "
            "`migrate load` replaces those that an archive has, if nothing was said in them since.",
        )


# -- Models --------------------------------------------------------------------------------------------------------


def _lint_pinned_models(
    assistants: Sequence[AssistantObject], settings: Settings, models: ModelPolicy, today: date
) -> Iterator[LintWarning]:
    """Assistants whose model has a shutdown date and no override, the earliest date first."""
    counts: Counter[str] = Counter()
    for assistant in assistants:
        override = settings.per_assistant.get(assistant["id"]) or settings.models.get(assistant["model"])
        if override is None or override.model is None:
            counts[assistant["model"]] += 1
    rows = [build_model_row(name, models, today) for name in counts]
    dated = [(row.shutdown_date, row) for row in rows if row.shutdown_date is not None]
    for day, row in sorted(dated, key=lambda each: (each[0], each[1].model)):
        who = _format_count(counts[row.model], "assistant is", "assistants are")
        ends = f"which ended on {day}" if row.state == "retired" else f"which ends on {day}"
        when = "is requested instead" if row.state == "retired" else "is requested from then on"
        follows = f"{row.replacement} {when}" if row.replacement else "no successor is known"
        dropped = f", without {', '.join(row.dropped_parameters)}" if row.replacement and row.dropped_parameters else ""
        yield LintWarning(
            "model",
            f'{who} pinned to {row.model}, {ends}: {follows}{dropped}. Set `models."{row.model}".model` and test it.',
        )


def _lint_unlisted_models(
    assistants: Sequence[AssistantObject], settings: Settings, models: ModelPolicy, today: date
) -> Iterator[LintWarning]:
    """Models that runs would request and the service does not list."""
    if models.catalog is None:
        return
    names_by_model: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for assistant in assistants:
        requested = resolve_model(
            assistant["model"],
            requested_effort=None,
            today=today,
            overrides=models.models,
            override=settings.per_assistant.get(assistant["id"]),
            shutdown_dates=models.catalog.shutdown_dates,
            openai_models=models.openai_models,
        ).model
        names_by_model[requested][assistant["model"]] += 1
    for model, pinned in names_by_model.items():
        if model in models.catalog.shutdown_dates:
            continue
        for name, count in pinned.items():
            who = _format_count(count, "assistant", "assistants")
            instead = "" if model == name else f" (for {name})"
            yield LintWarning(
                "model",
                f"The runs of {who} request {model}{instead}, which the service does not list: they fail unless it "
                f'accepts any name. Set `models."{name}".model` to one that it lists.',
            )


# -- Tools and instructions ----------------------------------------------------------------------------------------


def _lint_unsearched_files(
    session: Session,
    assistants: Sequence[AssistantObject],
    threads: Sequence[ThreadObject],
    profile: UpstreamCapabilities,
) -> Iterator[LintWarning]:
    """Files and vector stores that no tool reads: the run lacks the tool, or the service does not support it."""
    for tool in HOSTED_TOOLS.values():
        kind, field = tool.type, tool.resource_kind
        if field is None:
            continue
        everything: Sequence[AssistantObject | ThreadObject] = [*assistants, *threads]
        holders = [each for each in everything if _get_resource_ids(each, kind, field)]
        if holders and not tool.is_supported(profile):
            yield LintWarning(
                "unsearched",
                f"No tool reads the {field} of {_format_ids(holders)}: the service does not support {kind}.",
            )
            continue
        idle = [each for each in holders if not _uses_tool(session, each, kind)]
        if idle:
            yield LintWarning(
                "unsearched",
                f"No tool reads the {field} of {_format_ids(idle)}: {kind} is not among the tools. Add it to the "
                "assistant or to the run.",
            )


def _get_resource_ids(holder: JsonMapping, kind: str, field: str) -> object:
    resources: object = holder.get("tool_resources")
    tool_resources: object = resources.get(kind) if is_json_object(resources) else None
    return tool_resources.get(field) if is_json_object(tool_resources) else None


def _uses_tool(session: Session, holder: AssistantObject | ThreadObject, kind: str) -> bool:
    """Whether the assistant, or one of the thread's newest runs, has the tool; True for a thread without runs."""
    if holder["object"] == "assistant":
        return any(tool["type"] == kind for tool in holder["tools"])
    runs: Sequence[RunObject] = session.get_page(
        ObjectKind.RUN, limit=_RUNS_PER_THREAD, order="desc", thread_id=holder["id"]
    ).data
    return not runs or any(tool["type"] == kind for run in runs for tool in run["tools"])


def _lint_overridden_instructions(
    assistants: Sequence[AssistantObject], runs: Sequence[RunObject]
) -> Iterator[LintWarning]:
    """`instructions` of a run replace the assistant's; only `additional_instructions` are added to them (A49)."""
    own = {each["id"]: each["instructions"] for each in assistants if each["instructions"]}
    replaced: defaultdict[str, int] = defaultdict(int)
    for run in runs:
        if (instructions := own.get(run["assistant_id"])) and instructions not in (run["instructions"] or ""):
            replaced[run["assistant_id"]] += 1
    for assistant_id, count in replaced.items():
        yield LintWarning(
            "instructions",
            f"{_format_count(count, 'run', 'runs')} of {assistant_id} did not use its instructions: those of the run "
            "replaced them (or they were changed later). To add to them, send `additional_instructions`.",
        )


def _lint_reusable_prompts(assistants: Sequence[AssistantObject], today: date) -> Iterator[LintWarning]:
    """Assistants that name a reusable prompt of OpenAI."""
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


def _lint_model_windows(assistants: Sequence[AssistantObject], settings: Settings) -> Iterator[LintWarning]:
    """Models whose window is so wide that `auto` rarely truncates, or unknown."""
    if settings.truncation.context_tokens is not None:
        return
    for name in dict.fromkeys(each["model"] for each in assistants):
        window = CONTEXT_WINDOWS.get(get_base_model(name))
        bounded = settings.models.get(name, ModelOverride()).context_tokens is not None
        if bounded or (window is not None and window < _WIDE_WINDOW):
            continue
        if window is not None:
            known = f"The window of {name} is {window:,} tokens, so threads are rarely truncated"
        else:
            assumed = settings.truncation.unknown_model_window
            known = f"The window of {name} is unknown, so {assumed:,} tokens are assumed"
        yield LintWarning("truncation", f'{known}: limit the tokens of a prompt with `models."{name}".context_tokens`.')


def _format_count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _format_ids(holders: Sequence[AssistantObject | ThreadObject]) -> str:
    ids = [each["id"] for each in holders[:_MAX_LISTED_IDS]]
    more = len(holders) - len(ids)
    return ", ".join(ids) + (f" and {more} more" if more else "")
