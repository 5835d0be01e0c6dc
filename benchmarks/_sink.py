"""A service that reads whatever it is sent and keeps nothing of it. `python -m benchmarks._sink`"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


async def _read(request: web.Request) -> web.Response:
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.json_response({"id": "file-1", "object": "file", "bytes": size})


async def _serve() -> None:
    application = web.Application()
    application.router.add_post("/v1/files", _read)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"Listening on http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)  # ends with the process that started it
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
