"""Writing down what turns cost, and stopping a run before the one that would cost too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from threadbridge.costs.caps import Cap, refusal, unpriced
from threadbridge.costs.pricing import day_of, price_of, price_of_prompt, spent_on, total
from threadbridge.emulation.context import Context
from threadbridge.ports import Scope, Session, Spent, Turn, Wire


def add_turn(session: Session, context: Context, run: Wire, turn: Turn) -> None:
    """Keep a turn with its price, and add it to what its thread, assistant, model and tenant spent today."""
    turn = replace(turn, nanodollars=price_of(turn, context.costs, now=context.now))
    session.add_turn(run["id"], turn)
    spent = spent_on(turn)
    if spent.turns:
        session.spend(day_of(context.now), spent, {**owners(run), Scope.MODEL: turn.model or run["model"]})


def too_dear(session: Session, context: Context, run: Wire, prompt_tokens: int) -> Wire | None:
    """The `last_error` of a run whose next prompt the settings do not pay for; None where they do.

    Only what is known before the request is counted: the answer may exceed a cap, and then nothing more is asked.
    """
    caps = _caps(session, context, run)
    if not caps:
        return None
    asked = context.models.resolved(run, context.now).model
    estimate = price_of_prompt((asked,), prompt_tokens, context.costs, now=context.now)
    if estimate is not None:
        return refusal(caps, estimate)
    return unpriced(asked, [cap.setting for cap in caps]) if context.unknown_price == "refuse" else None


def _caps(session: Session, context: Context, run: Wire) -> list[Cap]:
    limits = context.limits
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
