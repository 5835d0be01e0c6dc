"""What an error means depends on what it says and on what the request contained."""

from __future__ import annotations

from typing import Any

import pytest

from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind, classify_error

CHAINED: Any = {"previous_response_id": "resp_1"}
COMPACTING: Any = {"context_management": [{"type": "compaction"}]}


@pytest.mark.parametrize(
    ("error", "body", "kinds"),
    [
        (UpstreamError("Busy.", status=409, code="conversation_locked"), {"conversation": "conv_1"}, ["locked"]),
        (UpstreamError("No tool output found for function call c.", status=400), CHAINED, ["unanswered"]),
        (UpstreamError("No tool output found for function call c.", status=400), {}, []),
        (UpstreamError("Response 'resp_1' is gone.", status=404), CHAINED, ["not_found", "rejected"]),
        (UpstreamError("Gone.", status=400, code="previous_response_not_found"), CHAINED, ["not_found"]),
        (UpstreamError("No.", status=400, param="previous_response_id"), CHAINED, ["rejected"]),
        (UpstreamError("No.", status=400, param="previous_response_id"), {}, []),
        (UpstreamError("No.", status=500, param="previous_response_id"), CHAINED, []),
        (UpstreamError("The container is what it is.", status=404), {}, ["container"]),
        (UpstreamError("The container is what it is.", status=500), {}, []),
        (UpstreamError("Unknown parameter.", status=400, param="context_management"), COMPACTING, ["compaction"]),
        (UpstreamError("Unknown parameter.", status=400, param="context_management"), {}, []),
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
    }

    assert [match.kind for match in classify_error(error, body)] == [names[kind] for kind in kinds]
