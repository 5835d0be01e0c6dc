"""Record the cost of turns, and stop a run before a turn that would exceed a spend limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from threadbridge.api_types import JsonObject, LastError, RunObject, RunStepObject, UsageObject
from threadbridge.costs.pricing import (
    compute_turn_price,
    compute_turn_spending,
    count_hosted_calls,
    estimate_max_price,
    list_excluded_fees,
    sum_spending,
    to_day_number,
)
from threadbridge.costs.spend_limits import (
    SpendLimit,
    build_unpriced_error,
    find_exceeded_limit_error,
    has_spend_limits,
)
from threadbridge.ports import Session, SpendScope, SpendTotals, Turn
from threadbridge.service.context import ServiceContext
from threadbridge.translation.hosted_tools.registry import list_hosted_tools
from threadbridge.translation.request_builder import get_max_output_tokens


def record_turn(
    session: Session, context: ServiceContext, run: RunObject, turn: Turn, steps: Sequence[RunStepObject]
) -> None:
    """Store a turn with its price, and add it to the sums."""
    priced = _price_turn(context, run, turn, steps)
    session.add_turn(run["id"], priced)
    _add_spending(session, context, run, priced)


def record_lost_turn(
    session: Session, context: ServiceContext, run: RunObject, turn: Turn, steps: Sequence[RunStepObject]
) -> None:
    """Add the cost of a turn that lost its run to the sums: the upstream charges for it."""
    _add_spending(session, context, run, _price_turn(context, run, turn, steps))


def _price_turn(context: ServiceContext, run: RunObject, turn: Turn, steps: Sequence[RunStepObject]) -> Turn:
    if turn.usage is None:
        return turn
    calls = count_hosted_calls(steps)
    tools = [tool for tool in list_hosted_tools(run["tools"]) if tool.is_supported(context.rules.profile)]
    excluded_fees = list_excluded_fees(calls, context.rules.costs.fees, tools)
    report: JsonObject = {**(turn.report or {}), "hosted_calls": calls, "not_included": excluded_fees}
    price = compute_turn_price(turn, context.rules.costs, calls=calls, now=context.now)
    return replace(turn, report=report, nanodollars=price)


def _add_spending(session: Session, context: ServiceContext, run: RunObject, turn: Turn) -> None:
    """Add to the sums of the thread, assistant, model and tenant on this day."""
    spent = compute_turn_spending(turn)
    if spent.turns:
        session.add_spending(
            to_day_number(context.now), spent, {**list_spending_keys(run), SpendScope.MODEL: turn.model or run["model"]}
        )


def check_spend_limits(
    session: Session, context: ServiceContext, run: RunObject, prompt_tokens: int, *, prior_usage: UsageObject | None
) -> LastError | None:
    """The `last_error` of a run whose next request would exceed a spend limit; None if it would not.

    The answer counts with the run's `max_completion_tokens`. Without that limit its length is not known in advance: it
    may exceed the spend limit, and then no further request is sent.
    """
    if not has_spend_limits(context.rules.limits):
        return None
    spend_limits = _list_spend_limits(session, context, run)
    model = context.rules.models.resolve(run, context.now).model
    estimate = estimate_max_price(
        model,
        prompt_tokens=prompt_tokens,
        answer_tokens=get_max_output_tokens(run, prior_usage) or 0,
        rules=context.rules.costs,
        now=context.now,
    )
    if estimate is not None:
        return find_exceeded_limit_error(spend_limits, estimate)
    return (
        build_unpriced_error(model, [cap.setting for cap in spend_limits])
        if context.rules.unknown_price == "refuse"
        else None
    )


def _list_spend_limits(session: Session, context: ServiceContext, run: RunObject) -> list[SpendLimit]:
    limits = context.rules.limits
    spend_limits: list[SpendLimit] = []
    if limits.run_dollars is not None:
        run_spending = sum_spending(compute_turn_spending(turn) for turn in session.list_turns(run["id"]))
        spend_limits.append(SpendLimit("limits.run_dollars", limits.run_dollars, "it", run_spending.nanodollars))
    if limits.tenant_dollars is not None:
        since = to_day_number(context.now) - limits.tenant_dollars_days + 1
        tenant_spending = get_spending(session, SpendScope.TENANT, "", since=since)
        spend_limits.append(
            SpendLimit("limits.tenant_dollars", limits.tenant_dollars, "the tenant", tenant_spending.nanodollars)
        )
    return spend_limits


def list_spending_keys(run: RunObject) -> Mapping[SpendScope, str]:
    """The scopes and keys of the sums to which a run's turns are added, whichever model answers."""
    return {SpendScope.THREAD: run["thread_id"], SpendScope.ASSISTANT: run["assistant_id"], SpendScope.TENANT: ""}


def get_spending(session: Session, scope: SpendScope, key: str, *, since: int = 0) -> SpendTotals:
    """The spending of one thread, assistant, model or tenant from a day on."""
    found = session.list_spending(scope, since=since, key=key)
    return found[0].totals if found else SpendTotals()
