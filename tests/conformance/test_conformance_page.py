"""The tallies of the conformance page, and that rendering it is deterministic."""

from __future__ import annotations

import pytest

from tests.conformance.conformance_tally import tally_error_texts, tally_recordings, tally_rules, tally_schema
from tests.conformance.page import render_page
from tests.conformance.published_schema import ABSENT, SLICE
from tests.conformance.recorded_sessions.session_replay import JudgedExchange, Verdict
from tests.conformance.replay import ReplayResult
from tests.conformance.rule_coverage import RULES
from tests.conformance.test_session_replay import Exchange

needs_schema = pytest.mark.skipif(not SLICE.is_file(), reason=ABSENT)


def _judged(verdict: Verdict, message: str = "No.") -> JudgedExchange:
    seen = Exchange("a", 0, "GET", "/v1/assistants", status=400, response_json={"error": {"message": message}})
    return JudgedExchange(seen, verdict)


def test_every_rule_is_counted_once() -> None:
    tally = tally_rules()

    assert tally.total == len(RULES)
    assert all("issue" in point for point in tally.open_items)


def test_every_error_text_is_caused_by_a_test() -> None:
    assert tally_error_texts().open_items == ()


def test_unreplayable_exchanges_are_not_counted_and_failures_are_listed_as_open() -> None:
    judged = [_judged(Verdict.EQUAL), _judged(Verdict.FAILED, "Yes."), _judged(Verdict.NOT_REPLAYABLE)]

    answers, texts = tally_recordings(ReplayResult(1, judged))

    assert (answers.covered, answers.total, answers.open_items) == (1, 2, ("GET /v1/assistants (a)",))
    assert (texts.covered, texts.open_items) == (1, ("Yes.",))


@needs_schema
async def test_every_operation_parameter_and_event_of_the_schema_is_covered() -> None:
    tallies = await tally_schema()

    assert {tally.subject: tally.open_items for tally in tallies if tally.open_items} == {}


@needs_schema
def test_the_page_is_rendered_identically_twice() -> None:
    outcome = ReplayResult(1, [_judged(Verdict.EQUAL)])

    assert render_page(outcome) == render_page(outcome)
