"""One log line per request: method, path, status, time. Never the query (it may hold keys), a header or a body."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadbridge.logs import get_logger

_log = get_logger("threadbridge.gateway")
#: Checked before measuring, so that a disabled log costs nothing.
_stdlib_logger = logging.getLogger("threadbridge.gateway")


class AccessLog:
    """Logs each request when its response is complete or broken off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _stdlib_logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        start_time = time.perf_counter()
        status = 0

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_record_status)
        finally:
            _log.info(
                "request answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - start_time) * 1000, 1),
            )
