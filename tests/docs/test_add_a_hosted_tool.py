"""The example tool of the page works once its row is in the registry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.engine.test_hosted_tool_registry import CALL, PACK, ScriptedUpstream, opened, streamed_run
from tests.docs.code_blocks import list_blocks
from tests.request_context import CONTEXT
from threadbridge.ports import ListQuery
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

#: Not a CreateAssistantBody: the tool is none of the Assistants API.
BODY: Any = {
    "model": "gpt-4o",
    "tools": [{"type": "weather"}, {"type": "function", "function": {"name": "pack"}}],
    "tool_resources": {"weather": {"stations": ["st_1"]}},
}


@pytest.fixture(autouse=True)
def _register_the_tool_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    [source] = [block.text for block in list_blocks("how-to/add-a-hosted-tool.md") if block.name == "weather.py"]
    module: dict[str, Any] = {"__name__": "weather"}
    exec(compile(source, "weather.py", "exec"), module)  # noqa: S102  the source is a page of this repository
    monkeypatch.setitem(HOSTED_TOOLS, "weather", module["WEATHER"])


async def test_the_tool_of_the_page_is_validated_requested_and_shown_in_a_step() -> None:
    upstream = ScriptedUpstream([CALL, PACK])
    async with opened(upstream) as backend:
        assistant = await backend.create_assistant(CONTEXT, BODY)
        run, _ = await streamed_run(backend, assistant)
        steps = await backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"))

    assert assistant["tools"][0] == {"type": "weather", "weather": {"unit": "celsius"}}
    assert upstream.bodies[0]["tools"][0] == {"type": "weather", "unit": "celsius", "stations": ["st_1"]}
    assert upstream.bodies[0]["include"] == ["weather_call.forecast"]
    details: Any = steps["data"][0]["step_details"]
    [call] = details["tool_calls"]
    assert (call["type"], call["weather"]) == ("weather", {"place": "Paris", "forecast": "rain"})
