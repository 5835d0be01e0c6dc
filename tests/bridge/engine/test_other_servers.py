"""Runs on servers that are not OpenAI's: whatever was seen of them (S1 to S13), over HTTP, polled and streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.asgi_server import serve_app
from tests.bridge.engine.backend_process import BackendProcess, has_status, wait_until
from tests.bridge.engine.quirk_probes import UNUSED_QUIRKS, has_quirk
from tests.emulated_service import get_last_error, get_required_calls, get_usage, list_step_calls
from tests.request_context import CONTEXT
from threadbridge.api_types import FileSearchResult, JsonObject, RunObject, TextValue
from threadbridge.errors import RequestError
from threadbridge.ports import ListQuery
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import ServerQuirk, SimulatedUpstream, Simulator, app
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.upstreams.openai_direct import open_direct_upstream

LOOK: JsonObject = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
SEARCH: JsonObject = {"type": "file_search"}
CODE: JsonObject = {"type": "code_interpreter"}
REQUIRED: JsonObject = {"tool_choice": "required"}


@dataclass
class Bridge(BackendProcess):
    """Our backend, and the server behind it."""

    url: str

    async def has(self, manner: ServerQuirk) -> bool:
        """Whether the server misbehaves so; asking does not count among what it was asked."""
        before = list(self.simulator.requests)
        shown = await has_quirk(self.url, manner)
        self.simulator.requests.clear()
        self.simulator.requests.extend(before)
        return shown

    @property
    def asked(self) -> list[JsonObject]:
        """The requests for responses."""
        return [request.body for request in self.simulator.requests if request.path == "/responses"]

    async def thread(self, *texts: str, attach: str | None = None) -> str:
        attachments = [] if attach is None else [{"file_id": attach, "tools": [SEARCH]}]
        messages = [{"role": "user", "content": text, "attachments": attachments} for text in texts]
        return str((await self.backend.create_thread(CONTEXT, {"messages": messages}))["id"])

    async def run(self, thread_id: str, *tools: JsonObject, streamed: bool = False, **settings: Any) -> RunObject:
        """The thread's next run, at rest."""
        assistant = await self.backend.create_assistant(CONTEXT, {"model": "gpt-4o", "tools": list(tools)})
        body = {"assistant_id": assistant["id"], **settings}
        if streamed:
            events = [event async for event in await self.backend.stream_run(CONTEXT, thread_id, body)]
            return cast("RunObject", events[-1].data)
        queued = await self.backend.create_run(CONTEXT, thread_id, body)
        at_rest = has_status("completed", "requires_action", "failed", "incomplete", "cancelled")
        return await wait_until(self, queued, at_rest)

    async def words(self, run: RunObject) -> TextValue:
        """The text of the thread's newest message, with its annotations."""
        page = await self.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(limit=1))
        part = page["data"][0]["content"][0]
        assert part["type"] == "text"
        return part["text"]

    async def found(self, run: RunObject) -> Sequence[FileSearchResult]:
        """The results of the run's first step, a search."""
        page = await self.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"))
        [call, *_] = list_step_calls(page["data"][0])
        assert call["type"] == "file_search"
        return call["file_search"]["results"]

    async def file(self, text: str) -> str:
        async def content() -> AsyncIterator[bytes]:
            yield text.encode()

        upload = SimulatedUpstream(self.simulator).upload
        made = await upload("/files", filename="cake.txt", content=content(), fields={"purpose": "assistants"})
        return str(made["id"])


@asynccontextmanager
async def bridge(*manners: ServerQuirk, profile: str = "openai", **settings: Any) -> AsyncGenerator[Bridge]:
    """A backend before a server of these manners."""
    simulator = Simulator(quirks=manners)
    async with serve_app(app(simulator)) as url:
        upstream = {"base_url": f"{url}/v1", "api_key": "sk-test-key", "profile": profile, "max_retries": 1}
        chosen = Settings.model_validate({"upstream": upstream, **settings})
        store = await open_store(":memory:")
        backend = assemble_backend(chosen, store=store, upstream=open_direct_upstream(chosen.upstream))
        try:
            yield Bridge(backend, simulator, f"{url}/v1")
        finally:
            await backend.aclose()


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=[False, True], ids=["polled", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    asked: bool = request.param
    return asked


@pytest.mark.parametrize("manner", UNUSED_QUIRKS)
async def test_a_server_like_openais_has_no_habit_that_our_runs_never_meet(manner: ServerQuirk) -> None:
    async with bridge() as here:
        assert not await here.has(manner)


# -- State -----------------------------------------------------------------------------------------------------------

#: Everything that has to do with state kept at the server.
STATEFUL = [
    ServerQuirk.CONVERSATION_BY_STRING,  # S1
    ServerQuirk.DROPS_FIRST_ITEMS,  # S2
    ServerQuirk.NO_BACKGROUND_STREAMS,  # S7
    ServerQuirk.NO_BACKGROUND,
    ServerQuirk.INLINE_BACKGROUND,
    ServerQuirk.FORGETS,  # S11
    ServerQuirk.TAKES_ANY_PREVIOUS,
]


@pytest.mark.parametrize("manner", STATEFUL)
async def test_s1_s2_s7_s11_a_server_that_keeps_nothing_is_told_everything_anew(
    manner: ServerQuirk, *, streamed: bool
) -> None:
    texts = [f"Word {number}" for number in range(25)]  # more than a conversation takes at once (S2)
    async with bridge(manner, profile="generic") as here:
        thread_id = await here.thread(*texts)
        first = await here.run(thread_id, streamed=streamed)
        second = await here.run(thread_id, streamed=streamed)

        told = [item["content"][0]["text"] for item in here.asked[1]["input"]]
        misbehaves = await here.has(manner)

    assert misbehaves
    assert (first["status"], second["status"]) == ("completed", "completed")
    assert told[:25] == texts
    assert len(told) == 26
    assert [body["store"] for body in here.asked] == [False, False]
    assert {name for body in here.asked for name in body}.isdisjoint(
        {"conversation", "previous_response_id", "background"}
    )


async def test_s11_a_server_that_forgets_what_it_was_to_keep_is_told_everything_again(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.FORGETS, history="chained") as here:
        thread_id = await here.thread("SAY one")
        runs = [await here.run(thread_id, streamed=streamed) for _ in range(2)]

        report = await here.backend.report_run(CONTEXT, thread_id, runs[1]["id"])
        accepted = [("previous_response_id" in body, len(body["input"])) for body in here.asked]

    assert [run["status"] for run in runs] == ["completed", "completed"]
    assert report["turns"][0]["state"]["reason"] == "not_found"
    assert accepted == [(False, 1), (False, 2)]


@pytest.mark.parametrize(
    "manner", [ServerQuirk.CONVERSATION_BY_STRING, ServerQuirk.DROPS_FIRST_ITEMS, ServerQuirk.NO_LOCKS]
)
async def test_s1_s2_s13_a_conversation_is_kept_by_servers_that_have_their_own_ways(
    manner: ServerQuirk, *, streamed: bool
) -> None:
    async with bridge(manner, profile="ogx", history="conversation") as here:
        thread_id = await here.thread("SAY one")
        runs = [await here.run(thread_id, streamed=streamed) for _ in range(2)]

        asked = [len(request.body["input"]) for request in here.simulator.requests if request.path == "/responses"]

    assert [run["status"] for run in runs] == ["completed", "completed"]
    assert asked == [1, 0]


async def test_s3_a_call_nobody_answered_is_not_sent_and_an_unknown_one_refused_here() -> None:
    async with bridge(ServerQuirk.TAKES_OPEN_CALLS) as here:
        thread_id = await here.thread("CALL look {}")
        waiting = await here.run(thread_id, LOOK)
        outputs = {"tool_outputs": [{"tool_call_id": "call_of_nobody", "output": "x"}]}
        with pytest.raises(RequestError, match="Expected tool outputs for call_ids"):
            await here.backend.submit_tool_outputs(CONTEXT, thread_id, waiting["id"], outputs)
        asked_before = len(here.asked)
        await here.backend.cancel_run(CONTEXT, thread_id, waiting["id"])
        await wait_until(here, waiting, has_status("cancelled"))
        await here.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": "Never mind"})
        after = await here.run(thread_id, LOOK)
        misbehaves = await here.has(ServerQuirk.TAKES_OPEN_CALLS)

    assert misbehaves
    assert (waiting["status"], asked_before, after["status"]) == ("requires_action", 1, "completed")
    assert {item["type"] for item in here.asked[-1]["input"]} == {"message"}


async def test_s13_a_thread_is_locked_here_whatever_the_server_does() -> None:
    async with bridge(ServerQuirk.NO_LOCKS) as here:
        thread_id = await here.thread("CALL look {}")
        waiting = await here.run(thread_id, LOOK)

        with pytest.raises(RequestError, match="already has an active run"):
            await here.run(thread_id)
        misbehaves = await here.has(ServerQuirk.NO_LOCKS)

    assert misbehaves
    assert waiting["status"] == "requires_action"
    assert len(here.asked) == 1


# -- Answers ---------------------------------------------------------------------------------------------------------


async def told(here: Bridge, *, streamed: bool) -> tuple[RunObject, TextValue, Sequence[FileSearchResult], str]:
    """A run that searched, what it said, what it found, and the file that was there to be found."""
    file_id = await here.file("Cake is baked at 180 degrees.")
    thread_id = await here.thread("SEARCH cake\nSAY At 180 degrees[[1]].", attach=file_id)
    run = await here.run(thread_id, SEARCH, streamed=streamed)
    return run, await here.words(run), await here.found(run), file_id


async def test_s4_patchy_streams_lose_no_word_and_no_citation(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.PATCHY_STREAMS) as here:
        run, text, _, file_id = await told(here, streamed=streamed)

    [citation] = text["annotations"]
    assert (run["status"], text["value"]) == ("completed", f"At 180 degrees{citation['text']}.")
    assert citation["type"] == "file_citation"
    assert citation["file_citation"]["file_id"] == file_id


async def test_s8_inner_ids_of_files_are_never_shown(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.INNER_FILE_IDS) as here:
        run, text, results, file_id = await told(here, streamed=streamed)

    assert run["status"] == "completed"
    assert [result["file_id"] for result in results] == [file_id]
    assert [each["file_citation"]["file_id"] for each in text["annotations"] if each["type"] == "file_citation"] == [
        file_id
    ]


async def test_s5_the_reason_length_and_missing_details_are_understood(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.SPARSE_OBJECTS) as here:
        thread_id = await here.thread("SAY " + "word " * 100)
        run = await here.run(thread_id, streamed=streamed, max_completion_tokens=16)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
    assert get_usage(run)["completion_tokens"] == 16
    assert get_usage(run).get("completion_tokens_details") == {"reasoning_tokens": 0}
    assert get_usage(run).get("prompt_token_details") == {"cached_tokens": 0}


@pytest.mark.parametrize("manner", [ServerQuirk.DETAIL_ERRORS, ServerQuirk.TERSE_ERRORS])
async def test_s6_what_a_server_says_is_told_whatever_form_it_has(manner: ServerQuirk, *, streamed: bool) -> None:
    async with bridge(manner) as here:
        run = await here.run(await here.thread("HTTP 400"), streamed=streamed)

    assert run["status"] == "failed"
    assert get_last_error(run)["code"] == "server_error"
    assert "The simulator was scripted to reject this request." in get_last_error(run)["message"]


# -- Abilities -------------------------------------------------------------------------------------------------------


async def test_s9_a_run_asks_for_nothing_but_responses(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.FEW_PATHS, profile="generic") as here:
        run = await here.run(await here.thread("Hello"), streamed=streamed, max_prompt_tokens=1000)
        misbehaves = await here.has(ServerQuirk.FEW_PATHS)

    assert misbehaves
    assert run["status"] == "completed"
    assert {request.path for request in here.simulator.requests} == {"/responses"}


async def test_s9_a_server_that_does_not_count_what_it_was_said_to_fails_no_run(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.FEW_PATHS, truncation={"counting": "exact"}) as here:
        run = await here.run(await here.thread("Hello"), streamed=streamed)
        [turn] = (await here.backend.report_run(CONTEXT, run["thread_id"], run["id"]))["turns"]

    assert run["status"] == "completed"
    assert turn["history"]["counted"] is None
    assert [warning[:54] for warning in turn["warnings"]] == ["The service could not count the tokens of the prompt, "]


async def test_s9_a_server_that_does_not_compact_what_it_was_said_to_fails_no_run(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.FEW_PATHS, truncation={"auto": "compact"}) as here:
        run = await here.run(await here.thread("Hello"), streamed=streamed)
        [turn] = (await here.backend.report_run(CONTEXT, run["thread_id"], run["id"]))["turns"]

    assert run["status"] == "completed"
    assert ["context_management" in accepted for accepted in here.asked] == [False]
    assert turn["warnings"] == [
        "The upstream service does not support compaction for the model gpt-4o. Set truncation.auto = 'drop'."
    ]


async def test_s9_lists_without_paging_fields_are_read_as_they_are(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.FEW_PATHS) as here:
        thread_id = await here.thread("PYTHON save()\nWRITES sums.csv 1,2")
        run = await here.run(thread_id, CODE, streamed=streamed)
        text = await here.words(run)

    assert run["status"] == "completed"
    assert [each["type"] for each in text["annotations"]] == ["file_path"]


async def test_s10_the_only_tool_is_named_where_required_is_not_heard(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.NO_REQUIRED_CHOICE, profile="generic") as here:
        run = await here.run(await here.thread("Hello"), LOOK, streamed=streamed, **REQUIRED)

    [call] = get_required_calls(run)
    assert (run["status"], call["function"]["name"]) == ("requires_action", "look")


async def test_s10_the_run_keeps_the_model_it_asked_for_whoever_answered(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.ONE_MODEL) as here:
        run = await here.run(await here.thread("Hello"), streamed=streamed)

    assert (run["status"], run["model"]) == ("completed", "gpt-4o")


@pytest.mark.parametrize(
    ("manner", "profile", "tool"), [(ServerQuirk.NO_FILES, "vllm", SEARCH), (ServerQuirk.NO_CONTAINERS, "ogx", CODE)]
)
async def test_s12_tools_the_server_lacks_are_never_sent(
    manner: ServerQuirk, profile: str, tool: JsonObject, *, streamed: bool
) -> None:
    async with bridge(manner, profile=profile) as here:
        thread_id = await here.thread("SAY Hello", attach="file-of-long-ago" if tool is SEARCH else None)
        run = await here.run(thread_id, tool, LOOK, streamed=streamed)
        misbehaves = await here.has(manner)

    assert misbehaves
    assert run["status"] == "completed"
    assert [each["type"] for each in here.asked[0]["tools"]] == ["function"]
    assert {request.path for request in here.simulator.requests} == {"/responses"}


async def test_s12_a_wrong_profile_fails_the_run_in_the_servers_words(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.NO_CONTAINERS, profile="openai") as here:
        run = await here.run(await here.thread("Hello"), CODE, streamed=streamed)

    assert run["status"] == "failed"
    assert "code_interpreter" in get_last_error(run)["message"]
