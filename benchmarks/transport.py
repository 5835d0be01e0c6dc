"""The in-process transport compared with its minimum: the same SDK calls answered from memory, plus one raw request.

The same program runs twice in this process: with our client, and with a client whose transport returns the headers
and bytes that ours returned before. CPU time is that of the whole process with all threads, without waiting.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import orjson
from openai import AsyncOpenAI, OpenAI

from benchmarks import _processes
from benchmarks._litellm import MODEL
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from benchmarks._service_client import HEADERS

#: CPU of a program over the SDK's own cost and one raw request.
WHOLE_BOUND, STREAMED_BOUND = 2.0, 1.3
QUESTION = "Say something long."
SECONDS_TO_FINISH = 0.2
#: Calls of one side before the other is measured: the speed of machines changes within seconds.
CALLS_PER_BLOCK = 5

#: Responses of the transport in memory: method and path to headers and body.
RecordedResponses = Mapping[tuple[str, str], tuple[Mapping[str, str], bytes]]
#: The 2.x SDK uses httpx, the 3.x SDK httpx2; both have a transport that calls a function.
_http: Any = importlib.import_module("httpx2" if openai.VERSION.startswith("3.") else "httpx")


def run_polled(client: OpenAI, assistant_id: str) -> None:
    """Create a run, poll it, and read its answer."""
    threads = client.beta.threads
    thread = threads.create(messages=[{"role": "user", "content": QUESTION}])
    run = threads.runs.create(thread.id, assistant_id=assistant_id)
    time.sleep(SECONDS_TO_FINISH)
    run = threads.runs.retrieve(run.id, thread_id=thread.id)
    _check_completed(run.status, threads.messages.list(thread.id).data[0].role)


def _run_streamed(client: OpenAI, assistant_id: str) -> None:
    """Create a run and read its stream."""
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


def record_responses(client: OpenAI, assistant_id: str, *, stream: bool) -> RecordedResponses:
    """The exact responses of our client to the program's requests."""
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


def make_memory_transport(answers: RecordedResponses) -> Any:
    """A transport, for synchronous and asynchronous clients, that answers from memory."""

    def answer(request: Any) -> Any:
        headers, body = answers[request.method, request.url.path.removeprefix("/v1")]
        return _http.Response(200, headers=headers, content=body)

    return _http.MockTransport(answer)


def make_http_client(transport: Any) -> Any:
    """A synchronous client of the HTTP library that the installed SDK uses."""
    return _http.Client(transport=transport)


class RawRequests:
    """One request to the upstream with minimal overhead."""

    def __init__(self, url: str, *, stream: bool) -> None:
        self._url = f"{url}/responses"
        self._body = orjson.dumps({"model": MODEL, "input": QUESTION, "stream": stream})
        self._session: Any = None

    async def send(self) -> None:
        """Send the request and read the whole response."""
        import aiohttp

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
    """CPU milliseconds of this process for `times` calls."""
    before = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - before) * 1e3


def _measure_alternately(ours: Callable[[], object], floor: Callable[[], object], times: int) -> tuple[float, float]:
    """CPU milliseconds per call of each side, from at least `times` calls."""
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
    """The in-process clients, on one store."""
    settings: dict[str, Any] = {
        "store": f"sqlite:///{store}",
        "upstream": {"base_url": url, "api_key": "sk-benchmark"},
    }
    import threadbridge  # here, because the floor of start_up uses this module without it

    with threadbridge.openai_client(**settings) as client:
        yield client, threadbridge.async_openai_client(**settings)


def _measure(url: str, store: Path, effort: Effort, *, stream: bool, runner: asyncio.Runner) -> list[Row]:
    times = effort.transport_streams if stream else effort.transport_runs
    kind, bound = ("streamed", STREAMED_BOUND) if stream else ("whole", WHOLE_BOUND)
    raw = RawRequests(url, stream=stream)
    with _open_clients(url, store) as (client, async_client):
        assistant_id = client.beta.assistants.create(model=MODEL, instructions="Be brief.").id
        memory = make_memory_transport(record_responses(client, assistant_id, stream=stream))
        # With the same URL, because the SDK parses the URL of every request.
        same: Any = {"api_key": "sk-benchmark", "base_url": client.base_url}
        floor = OpenAI(**same, http_client=make_http_client(memory))
        async_floor = AsyncOpenAI(**same, http_client=_http.AsyncClient(transport=memory))
        program, async_program = (_run_streamed, _run_streamed_async) if stream else (run_polled, _run_polled_async)

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
        make_ratio_row(f"in process, {kind}, OpenAI, CPU", "ms/run", pairs, beside="floor", bound=bound),
        make_ratio_row(f"in process, {kind}, AsyncOpenAI, CPU", "ms/run", async_pairs, beside="floor", bound=bound),
    ]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for the in-process transport, with the installed SDK."""
    log(f"openai {openai.VERSION}")
    with _processes.run_upstream() as upstream, asyncio.Runner() as runner:
        return [
            row
            for stream in (True, False)
            for row in _measure(upstream.url, directory / f"{stream}.db", effort, stream=stream, runner=runner)
        ]
