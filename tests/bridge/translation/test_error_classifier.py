"""What an error means depends on what it says and on what the request contained."""

from __future__ import annotations

from typing import Any

import pytest

from threadbridge.api_types import JsonMapping
from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind, classify_error

CHAINED: Any = {"previous_response_id": "resp_1"}
IMAGE: JsonMapping = {"input": [{"content": [{"type": "input_image", "image_url": "https://a.example/b.png"}]}]}
COMPACTING: Any = {"context_management": [{"type": "compaction"}]}


@pytest.mark.parametrize(
    ("error", "body", "kinds"),
    [
        (UpstreamError("Busy.", status=409, code="conversation_locked"), {"conversation": "conv_1"}, ["locked"]),
        (UpstreamError("No tool output found for function call c.", status=400), CHAINED, ["unanswered"]),
        (UpstreamError("No tool output found for function call c.", status=400), {}, ["unknown"]),
        (UpstreamError("Response 'resp_1' is gone.", status=404), CHAINED, ["not_found", "rejected"]),
        (UpstreamError("Gone.", status=400, code="previous_response_not_found"), CHAINED, ["not_found"]),
        (UpstreamError("No.", status=400, param="previous_response_id"), CHAINED, ["rejected"]),
        (UpstreamError("No.", status=400, param="previous_response_id"), {}, ["unknown"]),
        (UpstreamError("No.", status=500, param="previous_response_id"), CHAINED, []),
        (UpstreamError("The container is what it is.", status=404), {}, ["container"]),
        (UpstreamError("The container is what it is.", status=500), {}, []),
        (UpstreamError("Unknown parameter.", status=400, param="context_management"), COMPACTING, ["compaction"]),
        (UpstreamError("Unknown parameter.", status=400, param="context_management"), {}, ["unknown"]),
        (UpstreamError("No.", status=422), {}, ["unknown"]),
        (UpstreamError("No.", status=400, code="content_policy_violation"), {}, []),
        (UpstreamError("No.", status=413), {}, ["overflow"]),
        (UpstreamError("No.", status=400, param="parallel_tool_calls"), {"parallel_tool_calls": False}, ["parameter"]),
        (UpstreamError("No.", status=400, param="reasoning.effort"), {"reasoning": {}}, ["parameter"]),
        (UpstreamError("No 'store' here.", status=400), {"store": False}, ["parameter"]),
        (UpstreamError("No store here.", status=400), {"store": False}, ["unknown"]),
        (UpstreamError("Cannot use reasoning.encrypted_content.", status=400), {"include": []}, ["parameter"]),
        (UpstreamError("Error while downloading https://a.example/b.png.", status=400), IMAGE, ["reference"]),
        (UpstreamError("Invalid image.", status=400), IMAGE, ["reference"]),
        (UpstreamError("No.", status=400, param="input[0].content[0].image_url"), IMAGE, ["reference"]),
        (UpstreamError("Invalid image.", status=400), {"input": []}, ["unknown"]),
        ({"message": "The container is what it is."}, {}, []),
        ({"message": "The container has expired."}, {}, ["container"]),
        ({"message": ["odd"], "code": "context_length_exceeded"}, {}, ["overflow"]),
    ],
)
def test_an_error_has_the_meanings_of_its_rows(error: UpstreamError | Any, body: Any, kinds: list[str]) -> None:
    names = {
        "locked": ErrorKind.CONVERSATION_LOCKED,
        "unanswered": ErrorKind.CALLS_UNANSWERED,
        "not_found": ErrorKind.STATE_NOT_FOUND,
        "rejected": ErrorKind.STATE_REJECTED,
        "container": ErrorKind.CONTAINER_LOST,
        "compaction": ErrorKind.COMPACTION_REJECTED,
        "overflow": ErrorKind.CONTEXT_OVERFLOW,
        "parameter": ErrorKind.PARAMETER_REJECTED,
        "reference": ErrorKind.REFERENCE_REJECTED,
        "unknown": ErrorKind.UNKNOWN,
    }

    assert [match.kind for match in classify_error(error, body)] == [names[kind] for kind in kinds]


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
        "prompt is too long: 209353 tokens > 199999 maximum",
        "input length and `max_tokens` exceed context limit: 174167 + 64000 > 200000, decrease input length",
        "The input token count (1197102) exceeds the maximum number of tokens allowed (1048576).",
        "Input is too long for requested model.",
        "Please reduce the length of the messages or completion.",
        "litellm.ContextWindowExceededError: BedrockException",
        "The number of input tokens (9,000) is larger than the limit (8,192).",
        "the request exceeds the available context size. try increasing the context size",
        "Request too large for model `llama` on tokens per minute: Limit 6000, Requested 9000",
        "Prompt contains 40012 tokens and 0 draft tokens, too large for model with 32768 maximum context",
    ],
)
def test_a_prompt_that_is_too_long_is_recognised_in_the_words_of_many_services(message: str) -> None:
    matches = classify_error(UpstreamError(message, status=400), {"input": []})

    assert ErrorKind.CONTEXT_OVERFLOW in [match.kind for match in matches]


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
        "The image has 4096 x 4096 pixels.",
        "Invalid 'metadata': too many properties. Expected 16 properties, but got 17.",
    ],
)
def test_other_comparisons_are_no_prompt_that_is_too_long(message: str) -> None:
    matches = classify_error(UpstreamError(message, status=400), {"input": []})

    assert ErrorKind.CONTEXT_OVERFLOW not in [match.kind for match in matches]
