"""The simulator as an upstream in the same process: the Upstream port without HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing

import orjson

from threadbridge.errors import UpstreamError
from threadbridge.ports import UpstreamResponse, Wire
from threadbridge_adapters.simulator._errors import ServiceError
from threadbridge_adapters.simulator._performance import ConnectionBrokenError
from threadbridge_adapters.simulator._simulator import Simulator


class SimulatedStream:
    """The events of one simulated response. Iterate once, then close."""

    def __init__(self, events: AsyncGenerator[Wire], request_id: str) -> None:
        self._events = _read(events, request_id)
        self._source = events
        self._request_id = request_id

    @property
    def request_id(self) -> str | None:
        """The id the simulator gave to the request."""
        return self._request_id

    def __aiter__(self) -> AsyncIterator[Wire]:
        return self._events

    async def aclose(self) -> None:
        """Hang up: an unfinished response leaves nothing behind."""
        await self._events.aclose()
        await self._source.aclose()  # a generator that was never started does not close what it would have read


class SimulatedUpstream:
    """`ports.Upstream` over a simulator. Closing it closes the simulator's background work."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def create(self, body: bytes) -> UpstreamResponse:
        """A whole response."""
        try:
            response, request_id = await self.simulator.create(orjson.loads(body))
        except ServiceError as error:
            raise _refused(error) from error
        except ConnectionBrokenError as error:
            raise _broken(None) from error
        return UpstreamResponse(response, request_id)

    async def stream(self, body: bytes) -> SimulatedStream:
        """The events of a response; returns when the request was accepted."""
        try:
            events, request_id = await self.simulator.stream(orjson.loads(body))
        except ServiceError as error:
            raise _refused(error) from error
        return SimulatedStream(events, request_id)

    async def call(self, method: str, path: str, body: Wire | None = None) -> Wire:  # noqa: ARG002
        """No JSON endpoint but responses is simulated yet."""
        raise _not_simulated(f"{method} {path}")

    async def upload(
        self,
        path: str,
        *,
        filename: str,  # noqa: ARG002
        content: AsyncIterator[bytes],  # noqa: ARG002
        fields: Mapping[str, str],  # noqa: ARG002
    ) -> Wire:
        """Files are not simulated yet."""
        raise _not_simulated(f"POST {path}")

    def download(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Files are not simulated yet."""
        raise _not_simulated(f"GET {path}")

    async def aclose(self) -> None:
        """Stop background responses."""
        await self.simulator.aclose()


async def _read(events: AsyncGenerator[Wire], request_id: str) -> AsyncGenerator[Wire]:
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except ConnectionBrokenError as error:
        raise _broken(request_id) from error


def _refused(error: ServiceError) -> UpstreamError:
    return UpstreamError(
        error.message,
        status=error.status,
        type=error.type,
        param=error.param,
        code=error.code,
        request_id=error.request_id,
        body=error.body["error"],
    )


def _broken(request_id: str | None) -> UpstreamError:
    return UpstreamError("The connection was closed before the response was complete.", request_id=request_id)


def _not_simulated(what: str) -> UpstreamError:
    return UpstreamError(f"The simulator does not answer {what}.", status=404)
