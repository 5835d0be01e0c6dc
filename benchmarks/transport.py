"""The in-process transport beside its floor: the same SDK calls answered from memory, plus one raw upstream request.

One program, twice in this process: with a client of ours, and with a client whose transport gives back the very
headers and bytes ours gave before. CPU time is the whole process's, threads included; waiting costs nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import orjson
from openai import AsyncOpenAI, OpenAI

import threadbridge
from benchmarks import _processes
from benchmarks._litellm import MODEL
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from benchmarks._service_client import HEADERS

BOUND = 1.5
QUESTION = "Say something long."
SECONDS_TO_FINISH = 0.2
#: Calls of the one side before the other has its turn: machines get faster and slower in the seconds between.
CALLS_PER_BLOCK = 5

#: What the transport in memory answers: method and path to headers and body.
RecordedResponses = Mapping[tuple[str, str], tuple[Mapping[str, str], bytes]]
#: The 2.x SDK speaks httpx, the 3.x SDK httpx2; both have a transport that answers from a function.
_http: Any = importlib.import_module("httpx2" if openai.VERSION.startswith("3.") else "httpx")


def _run_polled(client: OpenAI, assistant_id: str) -> None:
    """Ask, wait, look, read: a run that is polled."""
    threads = client.beta.threads
    thread = threads.create(messages=[{"role": "user", "content": QUESTION}])
    run = threads.runs.create(thread.id, assistant_id=assistant_id)
    time.sleep(SECONDS_TO_FINISH)
    run = threads.runs.retrieve(run.id, thread_id=thread.id)
    _check_completed(run.status, threads.messages.list(thread.id).data[0].role)


def _run_streamed(client: OpenAI, assistant_id: str) -> None:
    """Ask and follow: a run that is streamed."""
    threads = client.beta.threads
    thread = threads.create(messages=[{"role": "user", "content": QUESTION}])
    last = ""
    with threads.runs.create(thread.id, assistant_id=assistant_id, stream=True) as events:
        for event in events:
            last = event.event
    _check_completed(last.removeprefix("thread.run."), threads.messages.list(thread.id).data[0].role)


async def _run_polled_async(client: AsyncOpenAI, assistant_id: str) -> None:
    threads = client.beta.threads
    thread = await threads.create(messages=[{"role": "user", "content": QUESTION}])
    run = await threads.runs.create(thread.id, assistant_id=assistant_id)
    await asyncio.sleep(SECONDS_TO_FINISH)
    run = await threads.runs.retrieve(run.id, thread_id=thread.id)
    _check_completed(run.status, (await threads.messages.list(thread.id)).data[0].role)


async def _run_streamed_async(client: AsyncOpenAI, assistant_id: str) -> None:
    threads = client.beta.threads
    thread = await threads.create(messages=[{"role": "user", "content": QUESTION}])
    last = ""
    async with await threads.runs.create(thread.id, assistant_id=assistant_id, stream=True) as events:
        async for event in events:
            last = event.event
    _check_completed(last.removeprefix("thread.run."), (await threads.messages.list(thread.id)).data[0].role)


def _check_completed(status: str, newest_role: str) -> None:
    if (status, newest_role) != ("completed", "assistant"):
        raise RuntimeError(f"the run is {status} and the newest message is the {newest_role}'s")


def _record_responses(client: OpenAI, assistant_id: str, *, stream: bool) -> RecordedResponses:
    """What the program's requests are answered by our client, byte for byte."""
    threads = client.beta.threads
    created = threads.with_raw_response.create(messages=[{"role": "user", "content": QUESTION}])
    thread_id = created.parse().id
    answers = {("POST", "/threads"): (dict(created.headers), created.content)}
    runs = f"/threads/{thread_id}/runs"
    if stream:
        with threads.runs.with_streaming_response.create(thread_id, assistant_id=assistant_id, stream=True) as response:
            answers["POST", runs] = (dict(response.headers), response.read())
    else:
        queued = threads.runs.with_raw_response.create(thread_id, assistant_id=assistant_id)
        time.sleep(SECONDS_TO_FINISH)
        run_id = queued.parse().id
        retrieved = threads.runs.with_raw_response.retrieve(run_id, thread_id=thread_id)
        answers["POST", runs] = (dict(queued.headers), queued.content)
        answers["GET", f"{runs}/{run_id}"] = (dict(retrieved.headers), retrieved.content)
    messages = threads.messages.with_raw_response.list(thread_id)
    answers["GET", f"/threads/{thread_id}/messages"] = (dict(messages.headers), messages.content)
    return answers


def _make_memory_transport(answers: RecordedResponses) -> Any:
    """A transport, for synchronous and asynchronous clients, that answers from memory."""

    def answer(request: Any) -> Any:
        headers, body = answers[request.method, request.url.path.removeprefix("/v1")]
        return _http.Response(200, headers=headers, content=body)

    return _http.MockTransport(answer)


class RawRequests:
    """One request to the upstream, as cheaply as Python sends it."""

    def __init__(self, url: str, *, stream: bool) -> None:
        self._url = f"{url}/responses"
        self._body = orjson.dumps({"model": MODEL, "input": QUESTION, "stream": stream})
        self._session: aiohttp.ClientSession | None = None

    async def send(self) -> None:
        """Send it and read the answer to its end."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(self._url, data=self._body, headers=HEADERS) as response:
            async for _ in response.content.iter_any():
                pass

    async def aclose(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


def _measure_cpu(work: Callable[[], object], times: int) -> float:
    """CPU milliseconds of this process for so many calls."""
    before = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - before) * 1e3


def _measure_alternately(ours: Callable[[], object], floor: Callable[[], object], times: int) -> tuple[float, float]:
    """CPU milliseconds for one call of each side, of at least `times`."""
    rounds = -(-times // CALLS_PER_BLOCK)
    spent = [(_measure_cpu(ours, CALLS_PER_BLOCK), _measure_cpu(floor, CALLS_PER_BLOCK)) for _ in range(rounds)]
    one, other = (sum(side) / (rounds * CALLS_PER_BLOCK) for side in zip(*spent, strict=True))
    return one, other


def _measure_pairs(
    ours: Callable[[], object], floor: Callable[[], object], *, repeats: int, times: int
) -> Sequence[tuple[float, float]]:
    _measure_cpu(ours, 2)
    _measure_cpu(floor, 2)
    return [_measure_alternately(ours, floor, times) for _ in range(repeats)]


@contextmanager
def _open_clients(url: str, store: Path) -> Generator[tuple[OpenAI, AsyncOpenAI]]:
    """Our clients, on one store."""
    settings: dict[str, Any] = {
        "store": f"sqlite:///{store}",
        "upstream": {"base_url": url, "api_key": "sk-benchmark"},
    }
    with threadbridge.openai_client(**settings) as client:
        yield client, threadbridge.async_openai_client(**settings)


def _measure(url: str, store: Path, effort: Effort, *, stream: bool, runner: asyncio.Runner) -> list[Row]:
    times = effort.transport_streams if stream else effort.transport_runs
    kind = "streamed" if stream else "whole"
    raw = RawRequests(url, stream=stream)
    with _open_clients(url, store) as (client, async_client):
        assistant_id = client.beta.assistants.create(model=MODEL, instructions="Be brief.").id
        memory = _make_memory_transport(_record_responses(client, assistant_id, stream=stream))
        # At the same address, for the SDK takes the URL of every request apart.
        same: Any = {"api_key": "sk-benchmark", "base_url": client.base_url}
        floor = OpenAI(**same, http_client=_http.Client(transport=memory))
        async_floor = AsyncOpenAI(**same, http_client=_http.AsyncClient(transport=memory))
        program, async_program = (_run_streamed, _run_streamed_async) if stream else (_run_polled, _run_polled_async)

        def floor_once() -> None:
            program(floor, assistant_id)
            runner.run(raw.send())

        async def async_floor_once() -> None:
            await async_program(async_floor, assistant_id)
            await raw.send()

        pairs = _measure_pairs(lambda: program(client, assistant_id), floor_once, repeats=effort.repeats, times=times)
        async_pairs = _measure_pairs(
            lambda: runner.run(async_program(async_client, assistant_id)),
            lambda: runner.run(async_floor_once()),
            repeats=effort.repeats,
            times=times,
        )
        floor.close()
        for closing in (raw.aclose(), async_client.close(), async_floor.close()):
            runner.run(closing)
    return [
        make_ratio_row(f"in process, {kind}, OpenAI, CPU", "ms/run", pairs, beside="floor", bound=BOUND),
        make_ratio_row(f"in process, {kind}, AsyncOpenAI, CPU", "ms/run", async_pairs, beside="floor", bound=BOUND),
    ]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """The rows on the in-process transport, with the SDK that is installed."""
    log(f"openai {openai.VERSION}")
    with _processes.run_upstream() as upstream, asyncio.Runner() as runner:
        return [
            row
            for stream in (True, False)
            for row in _measure(upstream.url, directory / f"{stream}.db", effort, stream=stream, runner=runner)
        ]
