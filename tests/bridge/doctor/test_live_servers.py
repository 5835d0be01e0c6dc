"""The examination of live servers: OpenAI's way, and with every habit that was seen (S1 to S13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import pytest

from tests.asgi_server import serve_app
from threadbridge.doctor.capability_detection import MAX_MODEL_RESPONSES, MAX_REQUESTS, DetectionResult, run_probes
from threadbridge.doctor.report import match_profile
from threadbridge.errors import UpstreamError
from threadbridge.ports import Upstream
from threadbridge.settings import UpstreamSettings
from threadbridge_adapters.simulator import ServerQuirk, Simulator, app
from threadbridge_adapters.upstreams.openai_direct import open_direct_upstream


@asynccontextmanager
async def upstream_at(url: str) -> AsyncGenerator[Upstream]:
    service = {"base_url": url, "api_key": "sk-test-key", "max_retries": 0, "timeout": 10}
    upstream = open_direct_upstream(UpstreamSettings.model_validate(service))
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def examination_of(simulator: Simulator) -> DetectionResult:
    async with serve_app(app(simulator)) as url, upstream_at(f"{url}/v1") as upstream:
        return await run_probes(upstream, "gpt-6-luna")


def missing(examination: DetectionResult) -> set[str]:
    return {name for name, finding in examination.findings.items() if not finding.is_supported}


async def test_a_service_like_openais_can_do_everything_and_has_no_habit() -> None:
    simulator = Simulator()

    examination = await examination_of(simulator)

    assert (missing(examination), list(examination.quirks)) == (set(), [])
    assert match_profile(examination, "127.0.0.1").profile == "openai"


async def test_no_more_is_asked_than_was_said_before_and_nothing_is_left_behind() -> None:
    simulator = Simulator()
    async with serve_app(app(simulator)) as url, upstream_at(f"{url}/v1") as upstream:
        await run_probes(upstream, "gpt-6-luna")
        asked = len(simulator.requests)
        stores = await upstream.request("GET", "/vector_stores")
        paths = [(request.method, request.path) for request in simulator.requests]

    made = {path for method, path in paths if method == "POST" and path in ("/conversations", "/vector_stores")}
    kept = [request.body for request in simulator.requests if request.path == "/responses"]
    assert asked <= MAX_REQUESTS
    assert len(kept) <= MAX_MODEL_RESPONSES
    assert stores["data"] == []
    assert made == {"/conversations", "/vector_stores"}
    assert count(paths, "DELETE", "/conversations/") == count(paths, "POST", "/conversations")
    assert count(paths, "DELETE", "/responses/") == sum(body.get("store") is True for body in kept)


def count(paths: Iterable[tuple[str, str]], method: str, path: str) -> int:
    return sum(
        asked == method and (where == path or (path.endswith("/") and where.startswith(path))) for asked, where in paths
    )


async def test_what_a_server_lacks_is_found_and_its_profile_claims_nothing_of_it() -> None:
    manners = {
        ServerQuirk.NO_BACKGROUND: {"background"},  # S7
        ServerQuirk.FEW_PATHS: {"input_tokens", "model_list", "compaction"},  # S9
        ServerQuirk.NO_REQUIRED_CHOICE: {"required_tool_choice"},  # S10
        ServerQuirk.FORGETS: {"stored_responses"},  # S11
        ServerQuirk.NO_CONVERSATIONS: {"conversations"},
        ServerQuirk.NO_CONTAINERS: {"code_interpreter"},  # S12
        ServerQuirk.NO_FILES: {"files", "file_search"},
    }

    examination = await examination_of(Simulator(quirks=manners))
    fit = match_profile(examination, "127.0.0.1")

    assert missing(examination) == set[str]().union(*manners.values())
    assert fit.profile == "generic"
    assert fit.overrides == {"encrypted_reasoning": True, "prompt_cache_key": True}


async def test_s7_s11_what_a_server_only_seems_to_do_is_not_taken_for_done() -> None:
    manners = (ServerQuirk.INLINE_BACKGROUND, ServerQuirk.TAKES_ANY_PREVIOUS)

    examination = await examination_of(Simulator(quirks=manners))

    assert missing(examination) == {"background", "stored_responses"}


async def test_s1_to_s10_habits_are_told_one_by_one_and_cost_no_capability() -> None:
    told = {
        ServerQuirk.ONE_MODEL: "The model the-only-model answers requests for gpt-6-luna.",
        ServerQuirk.SPARSE_OBJECTS: "Its token counts have no details: cached and reasoning tokens are zero.",
        ServerQuirk.DETAIL_ERRORS: "Its errors lack type, param, code.",
        ServerQuirk.PATCHY_STREAMS: "Its streams have no output_text.done.",
        ServerQuirk.TAKES_OPEN_CALLS: "It accepts function calls without outputs; ThreadBridge never sends any.",
        ServerQuirk.DROPS_FIRST_ITEMS: "It drops the items that a conversation is created with.",
        ServerQuirk.CONVERSATION_BY_STRING: "A conversation can only be given as an id, not as an object.",
        ServerQuirk.NO_BACKGROUND_STREAMS: "It does not stream background responses.",
    }
    numbers = "The events of its streams have missing or wrong sequence numbers."  # PATCHY_STREAMS too

    examination = await examination_of(Simulator(quirks=told))

    assert [habit for habit in examination.quirks if habit != numbers] == list(told.values())
    assert numbers in examination.quirks
    assert missing(examination) == set()


async def test_s6_s9_short_errors_and_lists_are_told() -> None:
    examination = await examination_of(Simulator(quirks=[ServerQuirk.TERSE_ERRORS, ServerQuirk.FEW_PATHS]))

    assert list(examination.quirks) == [
        "Its errors lack type, param, code.",
        "Its lists have no has_more.",
    ]


async def test_s8_s13_what_a_small_request_cannot_show_is_not_in_the_way() -> None:
    examination = await examination_of(Simulator(quirks=[ServerQuirk.INNER_FILE_IDS, ServerQuirk.NO_LOCKS]))

    assert (missing(examination), list(examination.quirks)) == (set(), [])


async def test_nobody_there_is_one_sentence() -> None:
    async with upstream_at("http://127.0.0.1:9/v1") as upstream:
        with pytest.raises(UpstreamError, match="could not be reached .*; check `upstream.base_url` and the network"):
            await run_probes(upstream, None)
