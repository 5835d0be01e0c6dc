"""A service that discards uploads and sends as many bytes as a file id says. `python -m benchmarks._file_service`"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

_CHUNK = bytes(64 * 1024)


async def _receive_file(request: web.Request) -> web.Response:
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.json_response({"id": f"file-{size}", "object": "file", "bytes": size})


async def _send_file(request: web.Request) -> web.StreamResponse:
    left = int(request.match_info["size"])
    response = web.StreamResponse(headers={"content-length": str(left)})
    await response.prepare(request)
    while left:
        piece = _CHUNK[:left]
        await response.write(piece)
        left -= len(piece)
    return response


async def _serve() -> None:
    application = web.Application()
    application.router.add_post("/v1/files", _receive_file)
    application.router.add_get("/v1/files/file-{size}/content", _send_file)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"Listening on http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)  # ends with the parent process
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
