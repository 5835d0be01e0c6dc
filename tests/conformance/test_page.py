"""The conformance page: what it counts is counted, and it says the same thing twice."""

from __future__ import annotations

import pytest

from tests.conformance.golden.judge import Judged, Verdict
from tests.conformance.page import page
from tests.conformance.published import ABSENT, SLICE
from tests.conformance.replay import Outcome
from tests.conformance.rules import RULES
from tests.conformance.standing import of_the_recordings, of_the_rules, of_the_schema, of_the_texts
from tests.conformance.test_judge import Exchange

needs_schema = pytest.mark.skipif(not SLICE.is_file(), reason=ABSENT)


def _judged(verdict: Verdict, message: str = "No.") -> Judged:
    seen = Exchange("a", 0, "GET", "/v1/assistants", status=400, response_json={"error": {"message": message}})
    return Judged(seen, verdict)


def test_every_rule_is_counted_once() -> None:
    tally = of_the_rules()

    assert tally.all == len(RULES)
    assert all("issue" in point for point in tally.open)


def test_every_text_of_refusal_is_caused_by_a_test() -> None:
    assert of_the_texts().open == ()


def test_what_could_not_be_replayed_is_not_counted_and_a_failure_is_open_by_name() -> None:
    judged = [_judged(Verdict.EQUAL), _judged(Verdict.FAILED, "Yes."), _judged(Verdict.NOT_REPLAYABLE)]

    answers, texts = of_the_recordings(Outcome(1, judged))

    assert (answers.done, answers.all, answers.open) == (1, 2, ("GET /v1/assistants (a)",))
    assert (texts.done, texts.open) == (1, ("Yes.",))


@needs_schema
async def test_every_operation_parameter_and_event_of_the_schema_is_there() -> None:
    tallies = await of_the_schema()

    assert {tally.of_what: tally.open for tally in tallies if tally.open} == {}


@needs_schema
def test_the_page_says_the_same_twice() -> None:
    outcome = Outcome(1, [_judged(Verdict.EQUAL)])

    assert page(outcome) == page(outcome)
