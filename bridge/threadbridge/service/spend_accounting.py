"""Writing down what turns cost, and stopping a run before the one that would cost too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from threadbridge.costs.pricing import day_of, price_at_most, price_of, spent_on, total
from threadbridge.costs.spend_limits import Cap, is_bounded, refusal, unpriced
from threadbridge.costs.tool_fees import hosted_calls, not_included
from threadbridge.ports import Scope, Session, Spent, Turn, Wire
from threadbridge.service.context import Context
from threadbridge.translation.request_builder import answer_bound


def add_turn(session: Session, context: Context, run: Wire, turn: Turn, steps: Sequence[Wire]) -> None:
    """Keep a turn with its price, and add it to what was spent."""
    priced = _priced(context, run, turn, steps)
    session.add_turn(run["id"], priced)
    _spend(session, context, run, priced)


def count_lost(session: Session, context: Context, run: Wire, turn: Turn, steps: Sequence[Wire]) -> None:
    """Add a turn that came too late to be kept to what was spent: it is charged for all the same."""
    _spend(session, context, run, _priced(context, run, turn, steps))


def _priced(context: Context, run: Wire, turn: Turn, steps: Sequence[Wire]) -> Turn:
    if turn.usage is None:
        return turn
    calls = hosted_calls(steps)
    runs_code = any(tool["type"] == "code_interpreter" for tool in run["tools"])
    has_container = runs_code and context.rules.profile.code_interpreter
    left_out = not_included(calls, context.rules.costs.fees, has_container=has_container)
    report = {**(turn.report or {}), "hosted_calls": calls, "not_included": left_out}
    price = price_of(turn, context.rules.costs, calls=calls, now=context.now)
    return replace(turn, report=report, nanodollars=price)


def _spend(session: Session, context: Context, run: Wire, turn: Turn) -> None:
    """To the sums of its thread, assistant, model and tenant on this day."""
    spent = spent_on(turn)
    if spent.turns:
        session.spend(day_of(context.now), spent, {**owners(run), Scope.MODEL: turn.model or run["model"]})


def too_dear(
    session: Session, context: Context, run: Wire, prompt_tokens: int, *, prior_usage: Wire | None
) -> Wire | None:
    """The `last_error` of a run whose next request the settings do not pay for; None where they do.

    An answer is counted as far as the run's `max_completion_tokens` bounds it. One without a bound is not known before
    it is there: it may exceed a cap, and then nothing more is asked.
    """
    if not is_bounded(context.rules.limits):
        return None
    caps = _caps(session, context, run)
    asked = context.rules.models.resolved(run, context.now).model
    estimate = price_at_most(
        asked,
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_bound(run, prior_usage) or 0,
        rules=context.rules.costs,
        now=context.now,
    )
    if estimate is not None:
        return refusal(caps, estimate)
    return unpriced(asked, [cap.setting for cap in caps]) if context.rules.unknown_price == "refuse" else None


def _caps(session: Session, context: Context, run: Wire) -> list[Cap]:
    limits = context.rules.limits
    caps: list[Cap] = []
    if limits.run_dollars is not None:
        own = total(spent_on(turn) for turn in session.turns(run["id"]))
        caps.append(Cap("limits.run_dollars", limits.run_dollars, "it", own.nanodollars))
    if limits.tenant_dollars is not None:
        since = day_of(context.now) - limits.tenant_dollars_days + 1
        everyone = spent_by(session, Scope.TENANT, "", since=since)
        caps.append(Cap("limits.tenant_dollars", limits.tenant_dollars, "the tenant", everyone.nanodollars))
    return caps


def owners(run: Wire) -> Mapping[Scope, str]:
    """To whose sums a run's turns are added, whichever model answers."""
    return {Scope.THREAD: run["thread_id"], Scope.ASSISTANT: run["assistant_id"], Scope.TENANT: ""}


def spent_by(session: Session, scope: Scope, key: str, *, since: int = 0) -> Spent:
    """What one of them spent from a day on."""
    found = session.spending(scope, since=since, key=key)
    return found[0].spent if found else Spent()
