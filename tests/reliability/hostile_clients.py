"""Clients that send garbage, stop in the middle or never read: others are served, and no error is logged."""

from __future__ import annotations

import asyncio
import io
import logging
import random
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import openai

from tests.reliability.ledger import SETTLE_SECONDS
from tests.reliability.scenario import Evidence, Fault
from threadbridge.settings import Settings
from threadbridge_adapters.gateway import run_gateway_in_thread

#: Seconds in which a complete request has to be answered, also between attacks.
ANSWER_SECONDS = 10.0
#: Connections that stay half-open until the end.
MAX_HALF_OPEN = 200
#: Requests of another client between two attacks: one of so many.
HEALTHY_EVERY = 10

#: The bytes of one connection, and whether they are a complete request that needs a response.
Attack = tuple[bytes, bool]

_PATHS = (
    "/v1/../../admin",
    "//",
    "/v1//threads",
    "/v1/threads/%2e%2e/%2e%2e",
    "/v1/threads/%00",
    "/v1/threads/\u00ff",
    "/v1/threads/thread_%ff%fe/messages",
    "/v1/threads/" + "a" * 5000,
    "/v1/threads?limit=%0d%0aX: y",
    "/v1/assistants/%",
    "/v1/files/..%2f..%2fetc%2fpasswd/content",
    "/v1/threads/thread_x/runs/run_x/steps?include[]=%00",
    "*",
    "/openai/",
    "/healthz/../v1/threads",
    "http://127.0.0.1:1/v1/threads",
    "/v1/threads/thread_x/messages?limit=99999999999999999999",
)
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW")
_BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'{"messages":' + b"[" * 3000,
    b'{"a":1,"a":2}',
    b'{"metadata":{"\\ud800":"x"}}',
    b'{"messages":[{"role":"user","content":"\\ud83d"}]}',
    b'{"messages":[{"role":"user","content":"\\u0000"}]}',
    b'"' + b"x" * 100_000,
    b'{"messages":1e999}',
    b"{" + b'"k":0,' * 5000 + b'"k":0}',
)


def attack_gateway(evidence: Evidence, attacks: int, seed: int) -> None:
    """Open `attacks` hostile connections to one gateway, and a usual request after every tenth."""
    log = io.StringIO()
    with _record_log(log), run_gateway_in_thread(Settings(store=":memory:", simulate=True)) as url:
        asyncio.run(_attack(evidence, attacks, random.Random(seed), url))
    for line in log.getvalue().splitlines():
        evidence.report(Fault.UNEXPECTED, f"logged: {line}")


@contextmanager
def _record_log(log: io.StringIO) -> Generator[None]:
    handler = logging.StreamHandler(log)
    handler.setLevel(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


async def _attack(evidence: Evidence, attacks: int, rng: random.Random, url: str) -> None:
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    half_open: list[asyncio.StreamWriter] = []
    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0, timeout=ANSWER_SECONDS) as client:
        assistant = await client.beta.assistants.create(model="gpt-4o")
        threads: list[str] = []
        for number in range(attacks):
            name, build = rng.choice(list(ATTACKS.items()))
            if name == "unread stream":
                threads.append(thread_id := (await client.beta.threads.create()).id)
                data, complete = _request_stream(thread_id, assistant.id), False
            else:
                data, complete = build(rng)
            evidence.amounts[name] += 1
            evidence.tried += 1
            reader, writer = await asyncio.open_connection(host, port)
            with suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
                if complete:
                    await _check_response(evidence, reader, data)
            half_open.append(writer)
            while len(half_open) > MAX_HALF_OPEN * (rng.random() < 0.99):
                half_open.pop(rng.randrange(len(half_open))).close()
            if number % HEALTHY_EVERY == 0:
                await _use_gateway(evidence, client, assistant.id)
        for writer in half_open:
            writer.close()
        for thread_id in threads:
            await _check_abandoned_run(evidence, client, thread_id)
        await _use_gateway(evidence, client, assistant.id)


async def _check_response(evidence: Evidence, reader: asyncio.StreamReader, data: bytes) -> None:
    """A complete request gets a response, or its connection is closed; no status is 500 or above."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await reader.readline()
    except TimeoutError:
        evidence.report(Fault.UNFINISHED, f"no response to {data[:300]!r}")
        return
    if (line and not line.startswith(b"HTTP/1.1 ")) or line[9:10] == b"5":
        evidence.report(Fault.UNEXPECTED, f"{line!r} in response to {data[:300]!r}")


async def _use_gateway(evidence: Evidence, client: openai.AsyncOpenAI, assistant_id: str) -> None:
    try:
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant_id,
            thread={"messages": [{"role": "user", "content": "Hello"}]},
            poll_interval_ms=5,
            timeout=ANSWER_SECONDS,
        )
    except openai.APIError as error:
        evidence.report(Fault.UNFINISHED, f"a usual request: {type(error).__name__} {error}")
        return
    if run.status != "completed":
        evidence.report(Fault.UNEXPECTED, f"a usual run is {run.status}")


async def _check_abandoned_run(evidence: Evidence, client: openai.AsyncOpenAI, thread_id: str) -> None:
    """A run goes on without the reader of its stream."""
    for _ in range(int(SETTLE_SECONDS / 0.05)):
        runs = (await client.beta.threads.runs.list(thread_id)).data
        if all(run.status == "completed" for run in runs):
            return
        await asyncio.sleep(0.05)
    evidence.report(Fault.UNFINISHED, f"the run of {thread_id} whose stream nobody reads")


def _encode_request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    fields = {"Host": "127.0.0.1", "OpenAI-Beta": "assistants=v2", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(
        [f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields.items()), "\r\n"]
    )
    return head.encode("utf-8", "replace") + body


def _request_bad_path(rng: random.Random) -> Attack:
    return _encode_request(rng.choice(_METHODS), rng.choice(_PATHS)), True


def _request_bad_body(rng: random.Random) -> Attack:
    path = rng.choice(["/v1/threads", "/v1/assistants", "/v1/threads/runs", "/v1/threads/thread_x/messages"])
    kind = rng.choice(["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-\xe9"])
    return _encode_request("POST", path, rng.choice(_BODIES), {"Content-Type": kind}), True


def _request_huge_head(rng: random.Random) -> Attack:
    names = {f"x-{n}": "a" * rng.randint(1, 2000) for n in range(rng.randint(50, 400))}
    return _encode_request("GET", "/v1/assistants", headers=names), True


def _send_random_bytes(rng: random.Random) -> Attack:
    return rng.randbytes(rng.randint(1, 5000)), False


def _request_broken_head(rng: random.Random) -> Attack:
    """A valid request with a few bytes changed: it may or may not be complete."""
    data = bytearray(_encode_request("POST", "/v1/threads", b"{}"))
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data), False


def _begin_head(rng: random.Random) -> Attack:
    data = _encode_request("GET", "/v1/assistants")
    return data[: rng.randrange(len(data) - 2)], False


def _begin_body(rng: random.Random) -> Attack:
    return _encode_request(
        "POST", "/v1/threads", b'{"messages"', {"Content-Length": str(rng.randint(50, 10**7))}
    ), False


def _request_stream(thread_id: str, assistant_id: str) -> bytes:
    """A stream of some seconds that is not read to its end."""
    message = '{"role":"user","content":"SLOW 0.05\\nSAY one two three four five six"}'
    body = f'{{"assistant_id":"{assistant_id}","stream":true,"additional_messages":[{message}]}}'.encode()
    return _encode_request("POST", f"/v1/threads/{thread_id}/runs", body, {"Content-Type": "application/json"})


ATTACKS: Mapping[str, Callable[[random.Random], Attack]] = {
    "bad path": _request_bad_path,
    "bad body": _request_bad_body,
    "huge head": _request_huge_head,
    "random bytes": _send_random_bytes,
    "broken head": _request_broken_head,
    "half a head": _begin_head,
    "half a body": _begin_body,
    "unread stream": _send_random_bytes,  # replaced by a request for a stream of an existing thread
}
