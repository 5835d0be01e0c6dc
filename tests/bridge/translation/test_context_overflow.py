from __future__ import annotations

from typing import Any

import pytest

from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind, classify_error, get_event_error

OPENAI = "Your input exceeds the context window of this model. Please adjust your input and try again."
VLLM = "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens in the messages."
VLLM_LOCAL = "The prompt (total length 25938) is too long to fit into the model (context length 4096)."
LLAMACPP = "request (4476 tokens) exceeds the available context size (4096 tokens)"


def is_overflow(error: UpstreamError | Any) -> bool:
    return [match.kind for match in classify_error(error, {})] == [ErrorKind.CONTEXT_OVERFLOW]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("Too long.", status=400, code="context_length_exceeded"),
        *(UpstreamError(words, status=400) for words in (OPENAI, VLLM, VLLM_LOCAL, LLAMACPP)),
        UpstreamError(VLLM, status=422),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_code_or_words(error: UpstreamError) -> None:
    assert is_overflow(error)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("Invalid type for 'input': expected a string.", status=400, param="input"),
        UpstreamError("The engine lost the context window.", status=500),
        UpstreamError("Request too large for gpt-4o on tokens per min (TPM).", status=429),
    ],
)
def test_other_refusals_are_not_taken_for_it(error: UpstreamError) -> None:
    assert not is_overflow(error)


@pytest.mark.parametrize(
    ("event", "too_long"),
    [
        ({"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": ""}}}, True),
        ({"type": "error", "error": {"code": None, "message": OPENAI}}, True),
        ({"type": "error", "message": LLAMACPP}, True),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Sorry."}}}, False),
        ({"type": "response.failed", "response": {"error": None}}, False),
        ({"type": "response.failed"}, False),
        ({"type": "response.output_text.delta", "delta": OPENAI}, False),
    ],
)
def test_a_response_that_ends_for_it_is_known_by_its_error(event: Any, too_long: bool) -> None:
    error = get_event_error(event)

    assert (error is not None and is_overflow(error)) is too_long
