"""Pages, ids and includes."""

from __future__ import annotations

import pytest

from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery
from threadbridge.validation import PageQuery, validate_id, validate_include, validate_page


def test_a_page_is_the_newest_twenty_unless_asked_otherwise() -> None:
    page = validate_page(ListQuery())

    assert page == PageQuery(limit=20, order="desc", after=None, before=None)


@pytest.mark.parametrize("limit", [1, 100])
def test_limits_from_one_to_a_hundred_are_taken(limit: int) -> None:
    page = validate_page(ListQuery(limit=limit, order="asc", after="msg_1", before="msg_2"))

    assert page == PageQuery(limit=limit, order="asc", after="msg_1", before="msg_2")


@pytest.mark.parametrize(
    ("query", "code", "param", "message"),
    [
        (
            ListQuery(limit=101),
            "integer_above_max_value",
            "limit",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ),
        (
            ListQuery(limit=0),
            "integer_below_min_value",
            "limit",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            ListQuery(order="x"),
            "invalid_value",
            "order",
            "Invalid value: 'x'. Supported values are: 'asc' and 'desc'.",
        ),
    ],
)
def test_a_page_out_of_range_is_refused(query: ListQuery, code: str, param: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_page(query)

    assert (caught.value.code, caught.value.param, caught.value.message) == (code, param, message)


@pytest.mark.parametrize(
    ("param", "prefix"), [("thread_id", "thread"), ("assistant_id", "asst"), ("run_id", "run"), ("message_id", "msg")]
)
def test_an_id_of_another_kind_is_refused(param: str, prefix: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_id(param, prefix, "x")

    assert caught.value.message == f"Invalid '{param}': 'x'. Expected an ID that begins with '{prefix}'."
    assert (caught.value.code, caught.value.param) == ("invalid_value", param)


def test_imported_ids_of_any_alphabet_pass() -> None:
    validate_id("thread_id", "thread", "thread_from-somewhere.else")


def test_what_a_file_search_found_can_be_included() -> None:
    validate_include(["step_details.tool_calls[*].file_search.results[*].content"])


def test_nothing_else_can_be_included() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_include(["everything"])

    assert caught.value.code == "invalid_value"
    assert caught.value.message.startswith("Invalid value: 'everything'. Supported values are: 'step_details.")
