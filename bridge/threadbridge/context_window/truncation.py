"""Select the part of a thread that goes to the model (A79, §11), from token counts alone; dropped entries stay unread.

The unit of selection is a turn: a user's message and everything up to the next one. So no call is separated from its
output and no reasoning from its result. Of a thread that is too long, the first turn stays and as many of the newest
turns as fit; the turns between are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from threadbridge.ports import EntryRole


class CountedEntry(NamedTuple):
    """The position of an entry in the timeline, with its token count."""

    position: int
    role: EntryRole
    tokens: int


#: Roles of the entries that a run's tool rounds write.
_TOOL_ROUND_ROLES = frozenset({EntryRole.FUNCTION_CALL, EntryRole.WITHIN_RUN})
_MESSAGE_ROLES = frozenset({EntryRole.USER, EntryRole.ASSISTANT})


@dataclass(frozen=True, slots=True)
class Span:
    """Adjacent entries from the first to the last position, with their counts."""

    first: int
    last: int
    messages: int
    entries: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected spans, oldest first; between two spans entries are dropped.

    `fits` is False if the budget is too small for the newest turn; then nothing is sent.
    """

    spans: tuple[Span, ...] = ()
    fits: bool = True

    @property
    def messages(self) -> int:
        """The number of messages."""
        return sum(span.messages for span in self.spans)

    @property
    def entries(self) -> int:
        """The number of entries: messages, calls, outputs, reasoning."""
        return sum(span.entries for span in self.spans)

    @property
    def tokens(self) -> int:
        """The tokens, as counted here."""
        return sum(span.tokens for span in self.spans)


def select_auto(oldest: Iterable[CountedEntry], newest: Iterable[CountedEntry], *, budget: int | None) -> Selection:
    """The first turn and as many of the newest turns as fit the budget, at least the newest one.

    `oldest` and `newest` are the same entries in both directions; of each, only the selected entries are read, and at
    most one entry or turn more.
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
    """The newest turn alone, whatever its length."""
    turn = next(_iter_newest_turns(newest, None), None)
    return Selection() if turn is None else Selection((turn,))


def select_last_messages(newest: Iterable[CountedEntry], *, messages: int, budget: int | None) -> Selection:
    """Exactly the newest messages, with the entries between them; does not fit if they exceed the budget."""
    span: Span | None = None
    for line in newest:
        span = _extend_span(span, line)
        if span.messages == messages or not _fits(span.tokens, budget):
            break
    if span is None:
        return Selection()
    return Selection((span,), fits=_fits(span.tokens, budget))


def select_since_compaction(newest: Iterable[CountedEntry], *, budget: int | None) -> Selection:
    """Everything since the upstream compacted the thread, with the compaction of the rest.

    A response can compact the entries before a call and leave the call open. So if calls or outputs come later, those
    just before the compaction are sent too: no call is separated from its output.
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
    """The entries without compactions, for a request that carries the entries they summarize."""
    return (line for line in lines if line.role is not EntryRole.COMPACTION)


def _fits(tokens: int, budget: int | None) -> bool:
    return budget is None or tokens <= budget


def _iter_newest_turns(newest: Iterable[CountedEntry], max_tokens: int | None) -> Iterator[Span]:
    """Whole turns, the newest first. A turn larger than `max_tokens` is cut where reading stopped, and is the last.

    Entries that only their own run sends count in the newest turn alone.
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
    """The first turn of the thread, read up to `max_tokens`."""
    turn: Span | None = None
    for line in oldest:
        if line.role is EntryRole.USER and turn is not None:
            break
        turn = _extend_span(turn, _discount_run_only_entry(line))
        if not _fits(turn.tokens, max_tokens):
            break
    return turn


def _discount_run_only_entry(line: CountedEntry) -> CountedEntry:
    """The entry as it counts for a later run (D62)."""
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
