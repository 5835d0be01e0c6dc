"""Whether a server has a habit, asked as anybody could ask it: with requests of one's own, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import Manner

_CALL: Wire = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
_HELLO: Wire = {"type": "message", "role": "user", "content": "Hello"}


@dataclass(frozen=True)
class Server:
    """A server below a URL."""

    http: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, path: str, body: Wire | None = None) -> tuple[int, Wire]:
        async with self.http.request(method, f"{self.url}{path}", json=body) as answer:
            found: Wire = {} if answer.content_type == "text/event-stream" else await answer.json()
            return answer.status, found

    async def respond(self, text: str = "Hello", **more: Any) -> tuple[int, Wire]:
        return await self.ask("POST", "/responses", {"model": "sim-1", "input": text, **more})

    async def conversation(self, *items: Wire) -> str:
        _, made = await self.ask("POST", "/conversations", {"items": list(items)})
        return str(made["id"])


async def _takes_conversations_by_string(server: Server) -> bool:
    named = await server.conversation()
    as_object, _ = await server.respond(conversation={"id": named})
    as_string, _ = await server.respond(conversation=named)
    return (as_object, as_string) == (400, 200)


async def _drops_first_items(server: Server) -> bool:
    named = await server.conversation(_HELLO)
    _, items = await server.ask("GET", f"/conversations/{named}/items")
    return not items["data"]


async def _takes_open_calls(server: Server) -> bool:
    _, first = await server.respond("CALL look {}", tools=[_CALL])
    status, _ = await server.respond("And now?", previous_response_id=first["id"])
    return status == 200


async def _streams_no_background(server: Server) -> bool:
    status, _ = await server.respond(background=True, stream=True)
    plain, _ = await server.respond(background=True)
    return (status, plain) == (400, 200)


async def _has_no_background(server: Server) -> bool:
    status, _ = await server.respond(background=True)
    return status == 400


async def _does_background_work_at_once(server: Server) -> bool:
    _, response = await server.respond(background=True)
    return bool(response["status"] == "completed")


async def _has_few_paths(server: Server) -> bool:
    counted, _ = await server.ask("POST", "/responses/input_tokens", {"input": "x"})
    listed, _ = await server.ask("GET", "/models")
    return (counted, listed) == (404, 404)


async def _forgets(server: Server) -> bool:
    _, first = await server.respond(store=True)
    status, _ = await server.respond("And now?", previous_response_id=first["id"])
    return status == 400


async def _takes_any_previous(server: Server) -> bool:
    status, _ = await server.respond(previous_response_id="resp_of_nobody")
    return status == 200


async def _has_no_containers(server: Server) -> bool:
    made, _ = await server.ask("POST", "/containers", {"name": "x"})
    used, _ = await server.respond(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}])
    return (made, used) == (404, 400)


async def _has_no_files(server: Server) -> bool:
    made, _ = await server.ask("POST", "/vector_stores", {"name": "x"})
    used, _ = await server.respond(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}])
    return (made, used) == (404, 400)


async def _locks_nothing(server: Server) -> bool:
    named = await server.conversation()
    body = {"model": "sim-1", "input": "SAY Hello\nSLOW 30", "conversation": named, "background": True}
    await server.ask("POST", "/responses", body)
    status, _ = await server.respond(conversation=named)
    return status == 200


_SIGNS: Mapping[Manner, Callable[[Server], Awaitable[bool]]] = {
    Manner.CONVERSATION_BY_STRING: _takes_conversations_by_string,
    Manner.DROPS_FIRST_ITEMS: _drops_first_items,
    Manner.TAKES_OPEN_CALLS: _takes_open_calls,
    Manner.NO_BACKGROUND_STREAMS: _streams_no_background,
    Manner.NO_BACKGROUND: _has_no_background,
    Manner.INLINE_BACKGROUND: _does_background_work_at_once,
    Manner.FEW_PATHS: _has_few_paths,
    Manner.FORGETS: _forgets,
    Manner.TAKES_ANY_PREVIOUS: _takes_any_previous,
    Manner.NO_CONTAINERS: _has_no_containers,
    Manner.NO_FILES: _has_no_files,
    Manner.NO_LOCKS: _locks_nothing,
}
#: The habits that a run of ours never meets.
UNMET = tuple(_SIGNS)


async def has_habit(url: str, manner: Manner) -> bool:
    """Whether the server below the URL shows this habit; OpenAI's shows none."""
    async with aiohttp.ClientSession() as http:
        return await _SIGNS[manner](Server(http, url))
