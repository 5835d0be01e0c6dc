"""Numbered differences: accepted and rejected requests."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from tests.clients.client_kinds import simulated_gateway
from tests.emulated_service import (
    BETA,
    MAX_BODY_BYTES,
    WEATHER,
    EmulatedService,
    get_last_error,
    open_service,
    run_path,
)
from tests.request_context import CONTEXT
from threadbridge.ports import WireRequest
from threadbridge.translation.models.resolution import ModelCatalog
from threadbridge.wire import dispatch_request


async def test_d17_the_beta_header_may_hold_a_list(service: EmulatedService) -> None:
    response = await service.send("GET", "/assistants", headers={"openai-beta": "realtime=v1, assistants=v2"})

    assert response.status == 200


async def test_d17_a_request_with_an_api_version_needs_no_beta_header(service: EmulatedService) -> None:
    azure = await service.send("GET", "/assistants", query={"api-version": "2024-05-01-preview"}, headers={})
    plain = await service.send("GET", "/assistants", headers={})

    assert (azure.status, plain.status) == (200, 400)


@pytest.mark.parametrize("body", [b"", b"[]", b" [ ]\n", b"null"])
async def test_d18_an_empty_body_is_an_empty_object(service: EmulatedService, body: bytes) -> None:
    run = await service.run_to_rest("Hello")
    thread = f"/threads/{run['thread_id']}"
    message = f"{thread}/messages/{(await service.list_messages(run))[0]['id']}"

    updated = [f"/assistants/{run['assistant_id']}", thread, message, run_path(run), "/threads"]
    statuses = [(await service.send("POST", path, body)).status for path in updated]
    deleted = await service.send("DELETE", thread, b"not even JSON")

    assert statuses == [200] * 5
    assert deleted.status == 200


async def test_d18_an_ignored_body_causes_a_warning(service: EmulatedService) -> None:
    thread_id = await service.create_thread("Hello")

    deleted = await service.send("DELETE", f"/threads/{thread_id}", b"not even JSON")

    assert "the one that was sent has no effect" in deleted.headers["threadbridge-warning"]


async def test_d18_an_empty_body_is_rejected_if_a_field_is_required(service: EmulatedService) -> None:
    assert (await service.send("POST", "/assistants", b"")).status == 400
    assert (await service.send("POST", "/assistants", b"[]")).status == 400


async def test_d18_an_empty_list_causes_no_warning_where_a_body_is_ignored(service: EmulatedService) -> None:
    deleted = await service.send("DELETE", f"/threads/{await service.create_thread('Hello')}", b"[]")

    assert "threadbridge-warning" not in deleted.headers


async def test_d19_a_body_over_the_limit_is_a_413(service: EmulatedService) -> None:
    response = await service.send("POST", "/threads", b" " * (MAX_BODY_BYTES + 1))

    assert response.status == 413


async def test_d20_the_error_for_an_unknown_parameter_has_no_suggestion(service: EmulatedService) -> None:
    refused = await service.post("/assistants", model="gpt-4o", instruction="Be brief.")

    assert (refused.status, refused.error["message"]) == (400, "Unknown parameter: 'instruction'.")


async def test_d21_null_for_a_required_field_has_an_invalid_type(service: EmulatedService) -> None:
    null = await service.post("/assistants", model=None)
    missing = await service.post("/assistants")

    assert (null.error["code"], missing.error["code"]) == ("invalid_type", "missing_required_parameter")


async def test_d22_null_in_an_update_keeps_the_value(service: EmulatedService) -> None:
    assistant = f"/assistants/{await service.create_assistant(name='Ada', metadata={'a': '1'})}"

    updated = await service.post(assistant, name=None, metadata=None, tools=None)

    assert (updated.body["name"], updated.body["metadata"]) == ("Ada", {"a": "1"})


async def test_d23_metadata_is_replaced_as_a_whole(service: EmulatedService) -> None:
    thread = f"/threads/{await service.create_thread()}"
    await service.post(thread, metadata={"a": "1", "b": "2"})

    updated = await service.post(thread, metadata={"b": "3"})

    assert updated.body["metadata"] == {"b": "3"}


async def test_d24_a_token_budget_may_be_as_small_as_16(service: EmulatedService) -> None:
    assistant_id, thread_id = await service.create_assistant(), await service.create_thread("Hello")

    refused = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, max_prompt_tokens=15)
    run = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, max_prompt_tokens=16)

    assert refused.error["message"].endswith("Expected a value >= 16, but got 15 instead.")
    assert run.body["max_prompt_tokens"] == 16


async def test_d25_a_run_accepts_20_tools_and_inherits_more(service: EmulatedService) -> None:
    many = [WEATHER] * 21
    assistant_id = await service.create_assistant(tools=many)

    refused = await service.post("/threads/runs", assistant_id=assistant_id, tools=many)
    run = await service.start_run("Hello", tools=many)

    assert (refused.error["param"], refused.error["code"]) == ("tools", "array_above_max_length")
    assert len(run["tools"]) == 21


async def test_d26_reasoning_effort_is_accepted_when_thread_and_run_are_created_together(
    service: EmulatedService,
) -> None:
    run = await service.run_to_rest("Hello", model="o3", run={"reasoning_effort": "low"})

    assert run["reasoning_effort"] == "low"
    assert service.model_requests[-1]["reasoning"] == {"effort": "low"}


async def test_d27_a_message_may_be_longer_than_256000_characters(service: EmulatedService) -> None:
    thread_id = await service.create_thread()

    message = await service.post(f"/threads/{thread_id}/messages", role="user", content="x" * 256_001)

    assert (message.status, len(message.body["content"][0]["text"]["value"])) == (200, 256_001)


async def test_d28_an_unknown_model_fails_the_run(service: EmulatedService) -> None:
    run = await service.run_to_rest("HTTP 404", model="gpt-nobody-knows")

    assert (run["status"], run["model"]) == ("failed", "gpt-nobody-knows")


async def test_d29_unknown_paths_and_methods_are_rejected_in_the_error_envelope(service: EmulatedService) -> None:
    nowhere = await service.get("/threads/thread_1/files")
    put = await service.send("PUT", "/threads/thread_1")

    assert (nowhere.status, nowhere.error["message"]) == (404, "Invalid URL (GET /v1/threads/thread_1/files)")
    assert (put.status, put.headers["allow"]) == (405, "GET, POST, DELETE")
    assert isinstance(put.body, bytes)
    assert orjson.loads(put.body)["error"]["code"] == "method_not_supported"


async def test_d30_responses_have_three_headers_of_the_service(service: EmulatedService) -> None:
    headers = (await service.get("/assistants")).headers

    assert sorted(headers) == ["content-type", "openai-processing-ms", "openai-version", "x-request-id"]
    assert re.fullmatch(r"req_[0-9a-f]{32}", headers["x-request-id"])


async def test_d31_requests_are_not_rate_limited(service: EmulatedService) -> None:
    statuses = {(await service.send("POST", "/threads", b"{}")).status for _ in range(320)}

    assert statuses == {200}


async def test_d31_a_429_of_the_upstream_fails_the_run(service: EmulatedService) -> None:
    run = await service.run_to_rest("HTTP 429 1")

    assert (run["status"], get_last_error(run)["code"]) == ("failed", "rate_limit_exceeded")


async def test_d32_every_api_key_reads_the_same_threads(service: EmulatedService) -> None:
    thread_id = await service.create_thread()

    response = await service.send("GET", f"/threads/{thread_id}", headers={**BETA, "authorization": "Bearer sk-other"})

    assert response.status == 200


async def test_d69_an_unknown_query_parameter_is_accepted_with_a_warning(service: EmulatedService) -> None:
    page = await service.get("/assistants", limit="1", nocache="17")

    assert page.status == 200
    assert "'nocache' has no effect" in page.headers["threadbridge-warning"]


async def test_d86_the_last_value_of_a_repeated_query_parameter_is_used_with_a_warning(
    service: EmulatedService,
) -> None:
    for _ in range(3):
        await service.create_assistant()
    twice = WireRequest("GET", "/assistants", (("limit", "1"), ("limit", "2")), BETA, b"")

    response = await dispatch_request(service.backend, CONTEXT, twice, max_body_bytes=MAX_BODY_BYTES)

    assert isinstance(response.body, bytes)
    assert len(orjson.loads(response.body)["data"]) == 2
    assert "'limit' was given more than once" in response.headers["threadbridge-warning"]


async def test_d86_a_query_parameter_without_a_value_is_ignored(service: EmulatedService) -> None:
    assistant_id = await service.create_assistant()

    page = await service.get("/assistants", limit="", order="", after="", before="")

    assert [each["id"] for each in page.body["data"]] == [assistant_id]


async def test_d87_a_compressed_body_is_rejected_with_its_encoding(service: EmulatedService) -> None:
    zipped = {**BETA, "content-type": "application/json", "content-encoding": "gzip"}
    plain = {**zipped, "content-encoding": "identity"}

    refused = await service.send("POST", "/threads", gzip.compress(b"{}"), headers=zipped)
    response = await service.send("POST", "/threads", b"{}", headers=plain)

    assert isinstance(refused.body, bytes)
    assert (refused.status, orjson.loads(refused.body)["error"]["code"]) == (400, "unsupported_content_encoding")
    assert response.status == 200


async def test_d88_responses_have_no_cors_headers_by_default(service: EmulatedService) -> None:
    page = {**BETA, "origin": "https://somewhere.example"}

    preflight = await service.send("OPTIONS", "/threads", headers=page)
    created = await service.send("POST", "/threads", b"{}", headers=page)

    assert (preflight.status, created.status) == (405, 200)
    assert not [name for name in {**preflight.headers, **created.headers} if name.startswith("access-control-")]


async def test_d88_an_allowed_origin_gets_cors_headers() -> None:
    page = "https://page.example"
    with simulated_gateway(gateway={"allowed_origins": [page]}) as gateway:
        async with (
            aiohttp.ClientSession(headers={**BETA, "origin": page}) as http,
            http.get(f"{gateway.url}/threads") as answer,
        ):
            result = (answer.status, answer.headers["access-control-allow-origin"])

    assert result == (200, page)


async def test_d107_a_gateway_without_a_key_rejects_cross_origin_requests() -> None:
    with simulated_gateway() as gateway:
        async with (
            aiohttp.ClientSession(headers={**BETA, "origin": "https://page.example"}) as http,
            http.post(f"{gateway.url}/threads", json={}) as refused,
        ):
            status, error = refused.status, (await refused.json())["error"]

    assert (status, error["type"], error["code"]) == (403, "invalid_request_error", None)


async def test_d107_a_cross_site_request_without_an_origin_is_rejected() -> None:
    with simulated_gateway() as gateway:
        async with (
            aiohttp.ClientSession(headers={**BETA, "sec-fetch-site": "cross-site"}) as http,
            http.get(f"{gateway.url}/assistants") as refused,
        ):
            status = refused.status

    assert status == 403


async def test_d111_a_gateway_without_a_key_answers_only_loopback_host_names() -> None:
    statuses: list[int] = []
    with simulated_gateway() as gateway:
        async with aiohttp.ClientSession(headers=BETA) as http:
            for host in ("localhost:1", "page.example"):
                async with http.get(f"{gateway.url}/assistants", headers={"host": host}) as answer:
                    statuses.append(answer.status)

    assert statuses == [200, 403]


async def test_d71_a_body_without_a_content_type_is_json(service: EmulatedService) -> None:
    without = await service.send("POST", "/threads", b'{"metadata": {}}', headers=BETA)
    latin = await service.send(
        "POST", "/threads", b"{}", headers={**BETA, "content-type": "application/json; charset=x"}
    )
    plain = await service.send("POST", "/threads", b"{}", headers={**BETA, "content-type": "text/plain"})

    assert (without.status, latin.status, plain.status) == (200, 200, 400)


async def test_d28_a_model_missing_from_a_fresh_list_is_rejected(service: EmulatedService) -> None:
    fresh = ModelCatalog(service.clock.now(), {"gpt-4o": None})
    async with open_service(catalog=fresh) as knowing:
        assistant_id = await knowing.create_assistant(model="gpt-nobody-knows", instructions="Be brief.")

        refused = await knowing.post("/threads/runs", assistant_id=assistant_id, thread={})

    assert (refused.status, refused.error["code"]) == (400, "model_not_found")
    assert refused.error["message"] == "The requested model 'gpt-nobody-knows' does not exist."


async def test_d100_invalid_http_is_rejected_in_plain_text_and_the_next_request_is_served() -> None:
    with simulated_gateway() as gateway:
        address = urlsplit(gateway.url)
        reading, writing = await asyncio.open_connection(address.hostname, address.port)
        writing.write(b"GET /v1/assistants?after=\xff HTTP/1.1\r\nHost: any\r\n\r\n")
        head, _, text = (await reading.read()).partition(b"\r\n\r\n")
        writing.close()
        async with aiohttp.ClientSession(headers=BETA) as http, http.get(f"{gateway.url}/assistants") as served:
            next_status = served.status

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: text/plain" in head.lower()
    assert text == b"Invalid HTTP request received."
    assert next_status == 200


async def _create_messages(
    service: EmulatedService, thread_id: str, *texts: str, headers: Sequence[Mapping[str, str]]
) -> list[tuple[int, str]]:
    """The status of each request, and the id of its message or the code of its error."""
    answers: list[tuple[int, str]] = []
    for text, added in zip(texts, headers, strict=True):
        body = orjson.dumps({"role": "user", "content": text})
        response = await service.send("POST", f"/threads/{thread_id}/messages", body, headers={**BETA, **added})
        assert isinstance(response.body, bytes)
        answer = orjson.loads(response.body)
        answers.append((response.status, answer["id"] if response.status == 200 else answer["error"]["code"]))
    return answers


async def test_d114_a_repeat_with_the_same_key_gets_the_first_answer(service: EmulatedService) -> None:
    headers = [{"idempotency-key": "k"}] * 3

    first, repeat, other = await _create_messages(
        service, await service.create_thread(), "Hello", "Hello", "Bye", headers=headers
    )

    assert first == repeat
    assert other == (400, "idempotency_key_reused")


async def test_d115_a_later_attempt_gets_the_answer_of_an_earlier_one(service: EmulatedService) -> None:
    headers = [{"x-stainless-retry-count": attempt} for attempt in ("0", "1", "0")]

    first, repeat, second = await _create_messages(
        service, await service.create_thread(), *["Hello"] * 3, headers=headers
    )

    assert first == repeat
    assert second != first
