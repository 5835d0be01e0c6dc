"""What a run sent, dropped and cost (docs/reference/costs.md); an extension of ours."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from threadbridge.types._model import WireModel
from threadbridge.types.run import IncompleteDetails, LastError, RunStatus, Usage


class ReportedModel(WireModel):
    """The model the run names, the one that was asked for it, and the one that says it answered."""

    requested: str | None = None
    asked: str | None = None
    answered: str | None = None
    reasoning_effort: str | None = None


class SentHistory(WireModel):
    """What of the thread was sent."""

    messages: int = 0
    entries: int = 0
    tokens: int = 0
    instructions_and_tools_tokens: int = 0


class DroppedHistory(WireModel):
    """What was not, and why: `truncation_strategy`, `context`, `max_prompt_tokens` or `compaction`."""

    messages: int = 0
    tokens: int = 0
    reason: str | None = None


class CompactedHistory(WireModel):
    """What of the thread, of that which was sent, the service compacted while it answered."""

    messages: int = 0
    tokens: int = 0


class ReportedHistory(WireModel):
    """How a turn's history was chosen; tokens as counted here before the model was asked."""

    strategy: str | None = None
    truncation_strategy: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    fits: bool | None = None
    sent: SentHistory | None = None
    dropped: DroppedHistory | None = None
    compacted: CompactedHistory | None = None
    #: Tokens of the whole prompt as the service counted them before it was asked; None where it did not.
    counted: int | None = None


class ReportedState(WireModel):
    """Where the model's memory of the thread was: `mode` is `local`, `chained` or `conversation`.

    `continues` is the id of the response or conversation that was gone on from; None: everything was sent, and
    `reason` says why where the service was to keep it.
    """

    mode: str | None = None
    continues: str | None = None
    reason: str | None = None


class TurnCost(WireModel):
    """US dollars; None where they are not known, and `note` says why.

    `not_included` names what the service may charge besides: `file_search_call`, `code_interpreter_container`.
    """

    usd: float | None = None
    note: str | None = None
    not_included: list[str] = Field(default_factory=list[str])


class ReportedTurn(WireModel):
    """One request to the model."""

    number: int
    response_id: str | None = None
    request_id: str | None = None
    model: ReportedModel | None = None
    history: ReportedHistory | None = None
    state: ReportedState | None = None
    warnings: list[str] = Field(default_factory=list[str])
    usage: Usage | None = None
    hosted_calls: dict[str, int] = Field(default_factory=dict[str, int])
    cost: TurnCost | None = None


class SpendSummary(WireModel):
    """A sum over turns. `usd` is what has a price; `unpriced_turns` come on top; None: nothing of it has one."""

    usd: float | None = None
    turns: int = 0
    unpriced_turns: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


class ReportTotals(WireModel):
    """The run, and what its thread, its assistant and the tenant spent so far."""

    run: SpendSummary
    thread: SpendSummary
    assistant: SpendSummary
    tenant: SpendSummary


class RunReport(WireModel):
    """What a run sent, dropped and cost, turn by turn."""

    object: str = "thread.run.report"
    run_id: str
    thread_id: str
    assistant_id: str | None = None
    status: RunStatus | str | None = None
    last_error: LastError | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str | None = None
    turns: list[ReportedTurn] = Field(default_factory=list[ReportedTurn])
    totals: ReportTotals
