"""The short way to a Responses service: requests like the SDK's own, and the SDK's affair when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from tests.bridge.engine.broken_service import (
    REQUEST_ID,
    BrokenService,
    CannedResponse,
    make_error_response,
    run_broken_service,
)
from threadbridge.api_types import ResponseEvent
from threadbridge.errors import UpstreamError
from threadbridge.settings import EndpointSettings
from threadbridge_adapters.upstreams.openai_direct import DirectUpstream, open_direct_upstream
from threadbridge_adapters.upstreams.openai_sdk import OpenAIUpstream

KEY = "sk-of-the-direct-way"
BODY = b'{"model":"m","input":"hello"}'
WHOLE = CannedResponse(body=b'{"id":"resp_1","status":"completed"}')
STREAM = CannedResponse(body=b'data: {"type":"a"}\n\ndata: {"type":"b"}\n\n', content_type=b"text/event-stream")
#: Written anew for every request, or said by whoever sends it.
PER_REQUEST = {b"accept", b"accept-encoding", b"connection", b"idempotency-key"}


@pytest.fixture
def service() -> Iterator[BrokenService]:
    with run_broken_service() as started:
        started.response = WHOLE
        yield started


def settings(service: BrokenService, **changes: Any) -> EndpointSettings:
    given: dict[str, Any] = {"base_url": f"{service.url}/v1", "api_key": SecretStr(KEY), "max_retries": 1}
    return EndpointSettings(**{**given, **changes})


@pytest.fixture
async def upstream(service: BrokenService) -> AsyncIterator[OpenAIUpstream]:
    """One that was shown the way already."""
    opened = open_direct_upstream(settings(service, headers={"x-team": "blue"}, query={"api-version": "v1"}))
    await opened.create_response(BODY)
    yield opened
    await opened.aclose()


async def events(upstream: OpenAIUpstream) -> list[ResponseEvent]:
    stream = await upstream.stream_response(BODY)
    try:
        return [event async for event in stream]
    finally:
        await stream.aclose()


async def test_a_request_of_its_own_is_like_the_one_the_sdk_showed(
    service: BrokenService, upstream: OpenAIUpstream
) -> None:
    response = await upstream.create_response(BODY)

    shown, own = service.request_headers
    assert response.body == {"id": "resp_1", "status": "completed"}
    assert response.request_id == REQUEST_ID
    assert {name: own[name] for name in own.keys() - PER_REQUEST} == {
        name: shown[name] for name in shown.keys() - PER_REQUEST
    }
    assert own[b"authorization"] == f"Bearer {KEY}".encode()
    assert own[b"x-team"] == b"blue"


async def test_a_stream_of_its_own_gives_every_event(service: BrokenService, upstream: OpenAIUpstream) -> None:
    service.response = STREAM

    told = await events(upstream)

    assert told == [{"type": "a"}, {"type": "b"}]
    assert service.request_headers[-1][b"accept"] == b"text/event-stream"


async def test_a_refusal_is_told_by_the_sdk_with_the_services_words(
    service: BrokenService, upstream: OpenAIUpstream
) -> None:
    service.response = make_error_response(400, f"No. Your key {KEY} is fine.", "no_reason")

    with pytest.raises(UpstreamError, match=r"No\. Your key \*\*\* is fine") as raised:
        await upstream.create_response(BODY)

    assert (raised.value.status, raised.value.code, raised.value.request_id) == (400, "no_reason", REQUEST_ID)


@pytest.mark.parametrize(
    "answer",
    [
        CannedResponse(500),
        CannedResponse(body=b'{"id"', breaks_connection=True),
        CannedResponse(breaks_connection=True),
    ],
)
async def test_what_fails_is_asked_as_often_as_the_settings_allow(
    service: BrokenService, upstream: OpenAIUpstream, answer: CannedResponse
) -> None:
    service.response = answer

    with pytest.raises(UpstreamError):
        await upstream.create_response(BODY)

    assert len(service.request_headers) == 1 + 2  # it was shown the way; one attempt, one repetition


async def test_a_stream_that_breaks_off_keeps_what_came_and_says_so(
    service: BrokenService, upstream: OpenAIUpstream
) -> None:
    service.response = CannedResponse(body=STREAM.body, content_type=STREAM.content_type, breaks_connection=True)
    stream = await upstream.stream_response(BODY)
    told_one_by_one = aiter(stream)

    told = [await anext(told_one_by_one), await anext(told_one_by_one)]

    assert told == [{"type": "a"}, {"type": "b"}]
    with pytest.raises(UpstreamError, match="broke off in the middle of a response") as raised:
        await anext(told_one_by_one)
    await stream.aclose()
    assert raised.value.request_id == REQUEST_ID


async def test_a_stream_that_does_not_begin_is_told_by_the_sdk(
    service: BrokenService, upstream: OpenAIUpstream
) -> None:
    service.response = CannedResponse(503)

    with pytest.raises(UpstreamError) as raised:
        await upstream.stream_response(BODY)

    assert raised.value.status == 503


@pytest.mark.parametrize("changes", [{"max_retries": 0}, {"token_provider": lambda: "token-1"}])
async def test_who_may_not_repeat_or_needs_a_fresh_token_asks_through_the_sdk(
    service: BrokenService, changes: dict[str, Any]
) -> None:
    opened = open_direct_upstream(settings(service, **changes))

    await opened.create_response(BODY)

    assert not isinstance(opened, DirectUpstream)
    await opened.aclose()
