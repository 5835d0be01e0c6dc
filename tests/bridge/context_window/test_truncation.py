"""What is chosen of a thread, over random threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from threadbridge.context_window.truncation import (
    CountedEntry,
    Selection,
    drop_compactions,
    select_auto,
    select_last_messages,
    select_since_compaction,
)
from threadbridge.ports import EntryRole

TOKENS = st.integers(min_value=1, max_value=50)


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[EntryRole, int]]:
    """One turn: a user's message and whatever may follow it."""
    rest = draw(
        st.lists(st.sampled_from([s for s in EntryRole if s not in (EntryRole.USER, EntryRole.COMPACTION)]), max_size=5)
    )
    return [(EntryRole.USER, draw(TOKENS)), *((sort, draw(TOKENS)) for sort in rest)]


@st.composite
def threads(draw: st.DrawFn) -> list[CountedEntry]:
    """A thread of whole turns, perhaps with an assistant's greeting first; positions grow, with gaps."""
    greeting = draw(st.sampled_from([[], [(EntryRole.ASSISTANT, 7)]]))
    lines = [*greeting, *(line for turn in draw(st.lists(turns(), max_size=12)) for line in turn)]
    gap = draw(st.integers(min_value=1, max_value=9))
    return [CountedEntry(number * gap, sort, tokens) for number, (sort, tokens) in enumerate(lines, start=1)]


BUDGETS = st.integers(min_value=0, max_value=600)


def auto(thread: Sequence[CountedEntry], budget: int | None) -> Selection:
    return select_auto(thread, reversed(thread), budget=budget)


def kept(thread: Sequence[CountedEntry], selection: Selection) -> list[CountedEntry]:
    return [line for span in selection.spans for line in thread if span.first <= line.position <= span.last]


def whole_turns(thread: Sequence[CountedEntry]) -> list[list[CountedEntry]]:
    found: list[list[CountedEntry]] = []
    for line in thread:
        if line.role is EntryRole.USER or not found:
            found.append([])
        found[-1].append(line)
    return found


def cost(thread: Sequence[CountedEntry]) -> int:
    """What the lines cost in a request: reasoning is shown in the newest turn alone."""
    newest = whole_turns(thread)[-1] if thread else []
    return sum(line.tokens for line in thread if line.role is not EntryRole.WITHIN_RUN or line in newest)


@given(threads(), BUDGETS)
def test_what_is_sent_is_within_the_budget(thread: list[CountedEntry], budget: int) -> None:
    selection = auto(thread, budget)
    assume(selection.fits)

    assert cost(kept(thread, selection)) == selection.tokens
    assert selection.tokens <= budget


@given(threads(), BUDGETS)
def test_order_is_kept_and_nothing_is_sent_twice(thread: list[CountedEntry], budget: int) -> None:
    sent = [line.position for line in kept(thread, auto(thread, budget))]

    assert sent == sorted(set(sent))


@given(threads(), BUDGETS)
def test_turns_are_sent_whole_or_not_at_all(thread: list[CountedEntry], budget: int) -> None:
    selection = auto(thread, budget)
    assume(selection.fits)

    sent = kept(thread, selection)

    assert all(set(turn) <= set(sent) or not set(turn) & set(sent) for turn in whole_turns(thread))


@given(threads(), BUDGETS)
def test_the_newest_turn_is_always_in_unless_the_budget_is_too_small_for_it(
    thread: list[CountedEntry], budget: int
) -> None:
    newest = (whole_turns(thread) or [[]])[-1]

    selection = auto(thread, budget)

    assert selection.fits is (sum(line.tokens for line in newest) <= budget)
    assert not selection.fits or set(newest) <= set(kept(thread, selection))


@given(threads(), BUDGETS)
def test_what_is_dropped_is_one_piece_of_the_middle(thread: list[CountedEntry], budget: int) -> None:
    selection = auto(thread, budget)
    assume(selection.fits)

    sent = kept(thread, selection)
    missing = [index for index, line in enumerate(thread) if line not in sent]

    assert missing == list(range(missing[0], missing[-1] + 1)) if missing else sent == thread


@given(threads(), BUDGETS)
def test_the_first_turn_stays_where_it_fits_beside_the_newest(thread: list[CountedEntry], budget: int) -> None:
    assume(thread)
    first, newest = whole_turns(thread)[0], whole_turns(thread)[-1]

    selection = auto(thread, budget)
    assume(selection.fits)

    fits = cost([*first, *newest]) <= budget or first == newest
    assert (set(first) <= set(kept(thread, selection))) is fits


@given(threads(), BUDGETS)
def test_as_many_of_the_newest_turns_are_sent_as_fit(thread: list[CountedEntry], budget: int) -> None:
    selection = auto(thread, budget)
    sent = kept(thread, selection)
    dropped = [turn for turn in whole_turns(thread) if turn[0] not in sent]
    assume(selection.fits and dropped)

    assert selection.tokens + sum(line.tokens for line in dropped[-1] if line.role is not EntryRole.WITHIN_RUN) > budget


@given(threads(), BUDGETS)
def test_choosing_again_from_what_was_chosen_changes_nothing(thread: list[CountedEntry], budget: int) -> None:
    selection = auto(thread, budget)
    assume(selection.fits)
    sent = kept(thread, selection)

    assert kept(sent, auto(sent, budget)) == sent


@given(threads())
def test_without_a_budget_everything_is_sent(thread: list[CountedEntry]) -> None:
    assert kept(thread, auto(thread, None)) == thread


@given(threads(), st.integers(min_value=1, max_value=30))
def test_last_messages_is_exact(thread: list[CountedEntry], wanted: int) -> None:
    there = [line for line in thread if line.role in (EntryRole.USER, EntryRole.ASSISTANT)]

    selection = select_last_messages(reversed(thread), messages=wanted, budget=None)

    sent = [line for line in kept(thread, selection) if line.role in (EntryRole.USER, EntryRole.ASSISTANT)]
    assert sent == there[-wanted:]
    assert selection.messages == len(sent)


class Counted:
    """Lines that count how many of them were asked for."""

    def __init__(self, lines: Iterable[CountedEntry]) -> None:
        self._lines = iter(lines)
        self.read = 0

    def __iter__(self) -> Iterator[CountedEntry]:
        for line in self._lines:
            self.read += 1
            yield line


@given(threads(), BUDGETS)
def test_no_more_is_read_than_what_is_sent_and_one_turn_at_each_end(thread: list[CountedEntry], budget: int) -> None:
    longest = max((len(turn) for turn in whole_turns(thread)), default=0)
    oldest, newest = Counted(thread), Counted(reversed(thread))

    selection = select_auto(oldest, newest, budget=budget)

    assert oldest.read <= longest + 1
    assert newest.read <= selection.entries + longest


@given(threads(), st.integers(min_value=1, max_value=30))
def test_last_messages_reads_what_it_sends(thread: list[CountedEntry], wanted: int) -> None:
    newest = Counted(reversed(thread))

    selection = select_last_messages(newest, messages=wanted, budget=None)

    assert newest.read == selection.entries


def test_last_messages_beyond_a_budget_do_not_fit() -> None:
    thread = [CountedEntry(number, EntryRole.USER, 10) for number in range(1, 6)]

    assert select_last_messages(reversed(thread), messages=3, budget=30).fits
    assert not select_last_messages(reversed(thread), messages=3, budget=29).fits


def test_after_a_compaction_only_what_came_since_is_sent_with_it() -> None:
    sorts = [EntryRole.USER, EntryRole.ASSISTANT, EntryRole.COMPACTION, EntryRole.ASSISTANT, EntryRole.USER]
    thread = [CountedEntry(number, sort, 5) for number, sort in enumerate(sorts, start=1)]

    selection = select_since_compaction(reversed(thread), budget=None)

    assert [line.position for line in kept(thread, selection)] == [3, 4, 5]


@pytest.mark.parametrize(
    ("sorts", "sent"),
    [
        ("USER FUNCTION_CALL COMPACTION FUNCTION_CALL", [2, 3, 4]),
        ("USER WITHIN_RUN FUNCTION_CALL FUNCTION_CALL COMPACTION ASSISTANT FUNCTION_CALL", [2, 3, 4, 5, 6, 7]),
        ("USER FUNCTION_CALL FUNCTION_CALL COMPACTION ASSISTANT USER", [4, 5, 6]),
        ("USER COMPACTION USER COMPACTION USER", [4, 5]),
        ("FUNCTION_CALL COMPACTION FUNCTION_CALL COMPACTION FUNCTION_CALL", [3, 4, 5]),
    ],
)
def test_calls_before_a_compaction_are_sent_where_their_outputs_may_come_after_it(sorts: str, sent: list[int]) -> None:
    thread = [CountedEntry(number, EntryRole[sort], 5) for number, sort in enumerate(sorts.split(), start=1)]

    selection = select_since_compaction(reversed(thread), budget=None)

    assert [line.position for line in kept(thread, selection)] == sent


def test_compactions_count_for_nothing_where_nobody_goes_on_with_them() -> None:
    thread = [
        CountedEntry(number, sort, 5)
        for number, sort in enumerate([EntryRole.USER, EntryRole.COMPACTION, EntryRole.USER], start=1)
    ]

    assert [line.position for line in drop_compactions(thread)] == [1, 3]


@pytest.mark.parametrize("budget", [None, 0, 100])
def test_of_an_empty_thread_nothing_is_sent(budget: int | None) -> None:
    assert auto([], budget) == Selection()
