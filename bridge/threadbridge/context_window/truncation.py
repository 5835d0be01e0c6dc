"""Which part of a thread a model is shown (A79, §11). Pure: weights in, positions out, nothing read that is dropped.

A thread is chosen from in whole turns: a user's message and all that follows up to the next one. So no call is parted
from its output and no reasoning from what it led to. Of a thread that is too long the first turn stays and as many of
the newest as fit; what is dropped lies between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from threadbridge.ports import EntryRole


class CountedEntry(NamedTuple):
    """One line of a timeline and what it weighs."""

    position: int
    role: EntryRole
    tokens: int


#: What a run's rounds of calls leave behind.
_TOOL_ROUND_ROLES = frozenset({EntryRole.FUNCTION_CALL, EntryRole.WITHIN_RUN})
_MESSAGE_ROLES = frozenset({EntryRole.USER, EntryRole.ASSISTANT})


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring entries from the first to the last position, and what they hold."""

    first: int
    last: int
    messages: int
    entries: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is sent, oldest first; between two spans something is missing.

    Does not fit: the budget is too small for the newest turn, and nothing is sent.
    """

    spans: tuple[Span, ...] = ()
    fits: bool = True

    @property
    def messages(self) -> int:
        """Messages sent."""
        return sum(span.messages for span in self.spans)

    @property
    def entries(self) -> int:
        """Lines of the timeline sent: messages, calls, outputs, reasoning."""
        return sum(span.entries for span in self.spans)

    @property
    def tokens(self) -> int:
        """Tokens of what is sent, as counted here."""
        return sum(span.tokens for span in self.spans)


def select_auto(oldest: Iterable[CountedEntry], newest: Iterable[CountedEntry], *, budget: int | None) -> Selection:
    """The first turn and as many of the newest as fit into the budget; the newest turn is always among them.

    `oldest` and `newest` are the same lines in both directions; of each is taken only what is chosen, and at most one
    line or turn more.
    """
    backwards = _iter_newest_turns(newest, budget)
    tail = next(backwards, None)
    if tail is None:
        return Selection()
    if not _fits(tail.tokens, budget):
        return Selection((tail,), fits=False)
    head = _read_first_turn(oldest, budget)
    if head is None or head.last >= tail.first or not _fits(head.tokens + tail.tokens, budget):
        head = None
    room = None if budget is None else budget - (head.tokens if head is not None else 0)
    for turn in backwards:
        if head is not None and turn.first <= head.last:
            return Selection((_merge_spans(head, tail),))
        if not _fits(tail.tokens + turn.tokens, room):
            break
        tail = _merge_spans(turn, tail)
    return Selection((tail,) if head is None else (head, tail))


def select_newest_turn(newest: Iterable[CountedEntry]) -> Selection:
    """The newest turn alone, however long it is."""
    turn = next(_iter_newest_turns(newest, None), None)
    return Selection() if turn is None else Selection((turn,))


def select_last_messages(newest: Iterable[CountedEntry], *, messages: int, budget: int | None) -> Selection:
    """Exactly the newest messages, with what lies between them. Does not fit where they exceed the budget."""
    span: Span | None = None
    for line in newest:
        span = _extend_span(span, line)
        if span.messages == messages or not _fits(span.tokens, budget):
            break
    if span is None:
        return Selection()
    return Selection((span,), fits=_fits(span.tokens, budget))


def select_since_compaction(newest: Iterable[CountedEntry], *, budget: int | None) -> Selection:
    """Everything since the service compacted the thread, with what it made of the rest.

    A response may compact what led to a call and leave the call open. So where calls or outputs come later, those just
    before the compaction are sent too: no call is parted from its output.
    """
    span: Span | None = None
    is_exchanging = is_compacted = False
    for line in newest:
        if is_compacted and not (is_exchanging and line.role in _TOOL_ROUND_ROLES):
            break
        is_compacted = is_compacted or line.role is EntryRole.COMPACTION
        is_exchanging = is_exchanging or line.role is EntryRole.FUNCTION_CALL
        span = _extend_span(span, line)
        if not _fits(span.tokens, budget):
            break
    if span is None:
        return Selection()
    return Selection((span,), fits=_fits(span.tokens, budget))


def drop_compactions(lines: Iterable[CountedEntry]) -> Iterator[CountedEntry]:
    """The lines without compactions: nobody is sent those who is sent what they stand for."""
    return (line for line in lines if line.role is not EntryRole.COMPACTION)


def _fits(tokens: int, budget: int | None) -> bool:
    return budget is None or tokens <= budget


def _iter_newest_turns(newest: Iterable[CountedEntry], max_tokens: int | None) -> Iterator[Span]:
    """Whole turns, the newest first. One that outgrows `most` is given as far as it was read, and is the last.

    What is shown within its run only has weight in the newest turn alone.
    """
    turn: Span | None = None
    is_newest = True
    for line in newest:
        turn = _extend_span(turn, line if is_newest else _discount_run_only_entry(line))
        if not _fits(turn.tokens, max_tokens):
            break
        if line.role is EntryRole.USER:
            yield turn
            turn, is_newest = None, False
    if turn is not None:
        yield turn


def _read_first_turn(oldest: Iterable[CountedEntry], max_tokens: int | None) -> Span | None:
    """The turn that the thread begins with, read no further than `most` tokens."""
    turn: Span | None = None
    for line in oldest:
        if line.role is EntryRole.USER and turn is not None:
            break
        turn = _extend_span(turn, _discount_run_only_entry(line))
        if not _fits(turn.tokens, max_tokens):
            break
    return turn


def _discount_run_only_entry(line: CountedEntry) -> CountedEntry:
    """The line as a later run is shown it (D62)."""
    return line._replace(tokens=0) if line.role is EntryRole.WITHIN_RUN else line


def _extend_span(span: Span | None, line: CountedEntry) -> Span:
    one = Span(line.position, line.position, int(line.role in _MESSAGE_ROLES), 1, line.tokens)
    return one if span is None else _merge_spans(one, span)


def _merge_spans(one: Span, other: Span) -> Span:
    return Span(
        min(one.first, other.first),
        max(one.last, other.last),
        one.messages + other.messages,
        one.entries + other.entries,
        one.tokens + other.tokens,
    )
