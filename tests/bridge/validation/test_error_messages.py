"""What the tables of request bodies refuse, and in which words."""

from __future__ import annotations

import pytest

from tests.bridge.validation.rejected_assistant_requests import ASSISTANTS
from tests.bridge.validation.rejected_request import message
from tests.bridge.validation.rejected_thread_requests import THREADS
from threadbridge.errors import InvalidRequest
from threadbridge.validation import MESSAGE_CREATE, validate_body

REFUSED = {**ASSISTANTS, **THREADS}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refused_is_refused_in_its_words(case: str) -> None:
    refused = REFUSED[case]

    with pytest.raises(InvalidRequest) as caught:
        validate_body(refused.spec, refused.body)

    assert caught.value.message == refused.message
    assert (caught.value.code, caught.value.param) == (refused.code, refused.param)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")


def test_a_refusal_does_not_repeat_all_of_a_long_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_body(MESSAGE_CREATE, message(role="x" * 100_000))

    assert len(caught.value.message) < 400


def test_braces_in_a_value_are_only_characters() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_body(MESSAGE_CREATE, message(role="{path}{0}"))

    assert caught.value.message == "Invalid value: '{path}{0}'. Supported values are: 'user' and 'assistant'."
