"""`GET /readyz`: whether what the gateway needs works now, for load balancers. `GET /healthz` only says it is alive.

The route needs no key, so that an answer names parts and fixed words only: no address, no message of a service. Checks
are bounded in time and cached, so that frequent requests cost the upstream one request in `CACHE_SECONDS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.ports import Backend, ChecksReadiness

#: Seconds that one check may take.
CHECK_SECONDS: Final = 3.0
#: Seconds for which results are reused.
CACHE_SECONDS: Final = 5.0

_log = get_logger("threadbridge.gateway")


class ReadinessEndpoint:
    """Performs the checks of a backend. A backend without checks is ready."""

    def __init__(self, backend: Backend, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._checks: Mapping[str, Callable[[], Awaitable[None]]] = (
            backend.list_readiness_checks() if isinstance(backend, ChecksReadiness) else {}
        )
        self._check_seconds = check_seconds
        self._checking: asyncio.Future[dict[str, str]] | None = None
        self._valid_until = 0.0

    async def handle_request(self, _: Request) -> Response:
        """200 if all parts work, else 503; the body says which do."""
        loop = asyncio.get_running_loop()
        if self._checking is None or (self._checking.done() and loop.time() >= self._valid_until):
            self._checking = asyncio.ensure_future(self._perform_checks())
        results = await asyncio.shield(self._checking)
        ready = all(result == "ok" for result in results.values())
        return JSONResponse(
            {"status": "ok" if ready else "unavailable", "checks": results},
            status_code=200 if ready else 503,
            headers={"cache-control": "no-store"},
        )

    async def _perform_checks(self) -> dict[str, str]:
        results = await asyncio.gather(*(self._perform(name, check) for name, check in self._checks.items()))
        self._valid_until = asyncio.get_running_loop().time() + CACHE_SECONDS
        return dict(zip(self._checks, results, strict=True))

    async def _perform(self, name: str, check: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(self._check_seconds):
                await check()
        except TimeoutError:
            _log.warning("a part of the gateway is not ready", part=name, reason="timeout")
            return "timeout"
        except BridgeError as error:
            _log.warning("a part of the gateway is not ready", part=name, reason=error.message)
            return "failed"
        except Exception:
            _log.exception("a part of the gateway could not be checked", part=name)
            return "failed"
        return "ok"
