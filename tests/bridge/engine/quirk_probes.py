"""Whether a server has a habit, asked as anybody could ask it: with requests of one's own, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge_adapters.simulator import ServerQuirk

_CALL: JsonObject = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
_HELLO: JsonObject = {"type": "message", "role": "user", "content": "Hello"}


@dataclass(frozen=True)
class Server:
    """A server below a URL."""

    http: aiohttp.ClientSession
    url: str

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> tuple[int, JsonObject]:
        async with self.http.request(method, f"{self.url}{path}", json=body) as answer:
            parsed: JsonObject = {} if answer.content_type == "text/event-stream" else await answer.json()
            return answer.status, parsed

    async def create_response(self, text: str = "Hello", **more: Any) -> tuple[int, JsonObject]:
        return await self.request("POST", "/responses", {"model": "sim-1", "input": text, **more})

    async def create_conversation(self, *items: JsonObject) -> str:
        _, made = await self.request("POST", "/conversations", {"items": list(items)})
        return str(made["id"])


async def _takes_conversations_by_string(server: Server) -> bool:
    conversation_id = await server.create_conversation()
    as_object, _ = await server.create_response(conversation={"id": conversation_id})
    as_string, _ = await server.create_response(conversation=conversation_id)
    return (as_object, as_string) == (400, 200)


async def _drops_first_items(server: Server) -> bool:
    conversation_id = await server.create_conversation(_HELLO)
    _, items = await server.request("GET", f"/conversations/{conversation_id}/items")
    return not items["data"]


async def _takes_open_calls(server: Server) -> bool:
    _, first = await server.create_response("CALL look {}", tools=[_CALL])
    status, _ = await server.create_response("And now?", previous_response_id=first["id"])
    return status == 200


async def _streams_no_background(server: Server) -> bool:
    status, _ = await server.create_response(background=True, stream=True)
    plain, _ = await server.create_response(background=True)
    return (status, plain) == (400, 200)


async def _has_no_background(server: Server) -> bool:
    status, _ = await server.create_response(background=True)
    return status == 400


async def _does_background_work_at_once(server: Server) -> bool:
    _, response = await server.create_response(background=True)
    return bool(response["status"] == "completed")


async def _has_few_paths(server: Server) -> bool:
    counted, _ = await server.request("POST", "/responses/input_tokens", {"input": "x"})
    listed, _ = await server.request("GET", "/models")
    return (counted, listed) == (404, 404)


async def _forgets(server: Server) -> bool:
    _, first = await server.create_response(store=True)
    status, _ = await server.create_response("And now?", previous_response_id=first["id"])
    return status == 400


async def _takes_any_previous(server: Server) -> bool:
    status, _ = await server.create_response(previous_response_id="resp_of_nobody")
    return status == 200


async def _has_no_containers(server: Server) -> bool:
    made, _ = await server.request("POST", "/containers", {"name": "x"})
    used, _ = await server.create_response(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}])
    return (made, used) == (404, 400)


async def _has_no_files(server: Server) -> bool:
    made, _ = await server.request("POST", "/vector_stores", {"name": "x"})
    used, _ = await server.create_response(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}])
    return (made, used) == (404, 400)


async def _locks_nothing(server: Server) -> bool:
    conversation_id = await server.create_conversation()
    body = {"model": "sim-1", "input": "SAY Hello\nSLOW 30", "conversation": conversation_id, "background": True}
    await server.request("POST", "/responses", body)
    status, _ = await server.create_response(conversation=conversation_id)
    return status == 200


_QUIRK_PROBES: Mapping[ServerQuirk, Callable[[Server], Awaitable[bool]]] = {
    ServerQuirk.CONVERSATION_BY_STRING: _takes_conversations_by_string,
    ServerQuirk.DROPS_FIRST_ITEMS: _drops_first_items,
    ServerQuirk.TAKES_OPEN_CALLS: _takes_open_calls,
    ServerQuirk.NO_BACKGROUND_STREAMS: _streams_no_background,
    ServerQuirk.NO_BACKGROUND: _has_no_background,
    ServerQuirk.INLINE_BACKGROUND: _does_background_work_at_once,
    ServerQuirk.FEW_PATHS: _has_few_paths,
    ServerQuirk.FORGETS: _forgets,
    ServerQuirk.TAKES_ANY_PREVIOUS: _takes_any_previous,
    ServerQuirk.NO_CONTAINERS: _has_no_containers,
    ServerQuirk.NO_FILES: _has_no_files,
    ServerQuirk.NO_LOCKS: _locks_nothing,
}
#: The habits that a run of ours never meets.
UNUSED_QUIRKS = tuple(_QUIRK_PROBES)


async def has_quirk(url: str, quirk: ServerQuirk) -> bool:
    """Whether the server below the URL shows this habit; OpenAI's shows none."""
    async with aiohttp.ClientSession() as http:
        return await _QUIRK_PROBES[quirk](Server(http, url))
