"""The table of remedies covers every meaning of an error, and a remedy that changed nothing leaves it to the next."""

from __future__ import annotations

import pytest

from threadbridge.engine.recovery import RECOVERY, FailedRequest, recover_from_error, recover_from_event
from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind

OVERFLOW = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."


class RecordedRemedies:
    """Notes the remedies that are tried; `works` are those that change something."""

    def __init__(self, *works: str) -> None:
        self.works = works
        self.tried: list[str] = []

    def _try(self, remedy: str) -> bool:
        self.tried.append(remedy)
        return remedy in self.works

    async def leave_out_parameter(self, failed: FailedRequest) -> bool:
        return self._try(f"leave out {failed.match.detail}")

    async def wait_for_conversation(self, failed: FailedRequest) -> bool:
        return self._try("wait")

    async def drop_lost_state(self, failed: FailedRequest) -> bool:
        return self._try(f"send all: {failed.match.kind}")

    async def replace_container(self, failed: FailedRequest) -> bool:
        return self._try("replace container")

    async def shorten_history(self, failed: FailedRequest) -> bool:
        return self._try("shorten")

    async def leave_out_compaction(self, failed: FailedRequest) -> bool:
        return self._try("leave out compaction")

    async def replace_references(self, failed: FailedRequest) -> bool:
        return self._try("replace references")

    async def simplify_request(self, failed: FailedRequest) -> bool:
        return self._try("simplify")

    async def shorten_large_history(self, failed: FailedRequest) -> bool:
        return self._try("shorten if large")


def test_every_meaning_of_an_error_has_a_row() -> None:
    assert list(dict.fromkeys(row.kind for row in RECOVERY)) == list(ErrorKind)


@pytest.mark.parametrize("works", [("shorten",), ()])
async def test_a_prompt_that_is_too_long_is_sent_again_only_if_it_could_be_shortened(works: tuple[str, ...]) -> None:
    remedies = RecordedRemedies(*works)
    error = UpstreamError(OVERFLOW, status=400, code="context_length_exceeded")

    recovered = await recover_from_error(remedies, error, {"model": "m", "input": []})

    assert (recovered, remedies.tried) == (bool(works), ["shorten"])


async def test_an_event_is_recovered_from_only_by_rows_that_apply_in_a_stream() -> None:
    remedies = RecordedRemedies("shorten", "leave out temperature")
    failed = {
        "type": "response.failed",
        "response": {"error": {"code": "context_length_exceeded", "message": OVERFLOW}},
    }
    rejected = {"type": "error", "code": None, "message": "Unsupported parameter: 'temperature'."}

    assert await recover_from_event(remedies, failed, {"input": []})
    assert not await recover_from_event(remedies, rejected, {"input": []})
    assert remedies.tried == ["shorten"]


@pytest.mark.parametrize(("works", "tried"), [(("simplify",), 1), (("shorten if large",), 2), ((), 2)])
async def test_a_rejection_for_an_unknown_reason_is_simplified_and_then_shortened(
    works: tuple[str, ...], tried: int
) -> None:
    remedies = RecordedRemedies(*works)

    recovered = await recover_from_error(remedies, UpstreamError("Bad.", status=400), {"model": "m", "input": []})

    assert recovered is bool(works)
    assert remedies.tried == ["simplify", "shorten if large"][:tried]


async def test_a_rejected_image_is_replaced() -> None:
    remedies = RecordedRemedies("replace references")
    part = {"type": "input_image", "image_url": "https://host.example/a.png"}
    body = {"model": "m", "input": [{"role": "user", "content": [part]}]}

    assert await recover_from_error(remedies, UpstreamError("The image expired.", status=400), body)
    assert remedies.tried == ["replace references"]


async def test_an_unknown_error_is_left_to_the_caller() -> None:
    remedies = RecordedRemedies("shorten")

    assert not await recover_from_error(remedies, UpstreamError("The model is on fire.", status=500), {"model": "m"})
    assert remedies.tried == []
