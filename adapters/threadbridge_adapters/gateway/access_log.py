"""One line a request: method, path, status, time. Never the query (it may hold keys), never a header, never a body."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadbridge.logs import logger

_log = logger("threadbridge.gateway")
#: Asked before anything is measured: a line nobody reads should cost nothing.
_lines = logging.getLogger("threadbridge.gateway")


class AccessLog:
    """Logs each request when its answer is complete, or was broken off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _lines.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        finally:
            _log.info(
                "request answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 1),
            )
