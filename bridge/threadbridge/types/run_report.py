"""The report of a run (docs/reference/costs.md), an extension of ThreadBridge: what it sent, dropped and cost."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from threadbridge.types._model import WireModel
from threadbridge.types.run import IncompleteDetails, LastError, RunStatus, Usage


class ReportedModel(WireModel):
    """The model of the run, the model that was requested instead, and the model in the response."""

    requested: str | None = None
    asked: str | None = None
    answered: str | None = None
    reasoning_effort: str | None = None


class SentHistory(WireModel):
    """The sent part of the thread."""

    messages: int = 0
    entries: int = 0
    tokens: int = 0
    instructions_and_tools_tokens: int = 0


class DroppedHistory(WireModel):
    """The dropped part; `reason` is `truncation_strategy`, `context`, `max_prompt_tokens` or `compaction`."""

    messages: int = 0
    tokens: int = 0
    reason: str | None = None


class CompactedHistory(WireModel):
    """The part of the sent thread that the service compacted."""

    messages: int = 0
    tokens: int = 0


class ReportedHistory(WireModel):
    """How the history of a turn was selected; tokens as ThreadBridge counted them before the request."""

    strategy: str | None = None
    truncation_strategy: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    fits: bool | None = None
    sent: SentHistory | None = None
    dropped: DroppedHistory | None = None
    compacted: CompactedHistory | None = None
    #: Tokens of the whole prompt as the service counted them before the request; None if it did not.
    counted: int | None = None


class ReportedState(WireModel):
    """How the turn continued the thread: `mode` is `local`, `chained` or `conversation`.

    `continues` is the id of the continued response or conversation. If it is None, the whole history was sent; `reason`
    says why, unless the mode is `local`.
    """

    mode: str | None = None
    continues: str | None = None
    reason: str | None = None


class TurnCost(WireModel):
    """US dollars, or None if they are unknown; `note` says why.

    `not_included` lists other fees of the service: `file_search_call`, `code_interpreter_container`.
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
    """A sum over turns. `usd` covers the turns with a price, and is None if there are none."""

    usd: float | None = None
    turns: int = 0
    unpriced_turns: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


class ReportTotals(WireModel):
    """The totals of the run, and those of its thread, its assistant and the tenant so far."""

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
