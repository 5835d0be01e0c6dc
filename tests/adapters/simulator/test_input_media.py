"""Images and files of the input: what the service says of a source that is missing, wrong, dead or deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.simulator.simulator_client import (
    create_response,
    expect_rejection,
    make_request,
    read_text,
    send_request,
    upload_file,
    user,
)
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import Simulator

_PIXEL = "data:image/png;base64,iVBORw0KGgo="
_LINK = "https://cdn.example/p.png?sig=1"
_WHERE = "input[0].content[1]"
_DATA_URL = (
    f"Invalid '{_WHERE}.image_url'. Expected a base64-encoded data URL with an image MIME type "
    "(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got "
)


def _with(kind: str = "input_image", **source: Any) -> JsonObject:
    return {
        "model": "sim-1",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "see"}, {"type": kind, **source}]}],
    }


@pytest.mark.parametrize(
    "url", ["uploads/cat.png", "not a url", "", "ftp://cdn.example/p.png", "https://", "http://[1"]
)
async def test_a_text_that_is_no_url_is_rejected(simulator: Simulator, url: str) -> None:
    error = await expect_rejection(simulator, _with(image_url=url))

    assert error.message == (
        f"Invalid '{_WHERE}.image_url'. Expected a valid URL, but got a value with an invalid format."
    )
    assert (error.status, error.param, error.code) == (400, f"{_WHERE}.image_url", "invalid_value")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("data:image/svg+xml;base64,AAAA", "unsupported MIME type 'image/svg+xml'."),
        ("data:image/png,AAAA", "a value without the ';base64' separator."),
        ("data:image/png;base64,A", "an invalid base64-encoded value."),
    ],
)
async def test_a_data_url_that_holds_no_image_is_rejected(simulator: Simulator, url: str, found: str) -> None:
    error = await expect_rejection(simulator, _with(image_url=url))

    assert (error.message, error.code) == (_DATA_URL + found, "invalid_value")


@pytest.mark.parametrize("url", [_LINK, "http://cdn.example/p.png", "https://cdn.example/a%20b.png", _PIXEL])
async def test_a_valid_url_is_accepted(simulator: Simulator, url: str) -> None:
    response = await create_response(simulator, _with(image_url=url))

    assert read_text(response) == "ECHO: see"


async def test_an_image_has_exactly_one_source(simulator: Simulator) -> None:
    file = await upload_file(simulator, b"\x89PNG", name="p.png", purpose="vision")

    none = await expect_rejection(simulator, _with(detail="low"))
    both = await expect_rejection(simulator, _with(image_url=_LINK, file_id=file["id"]))

    assert none.message == (
        f"Missing mutually exclusive parameters: '{_WHERE}'. "
        "Ensure you are providing exactly one of: 'file_id' or 'image_url'."
    )
    assert (none.param, none.code) == (_WHERE, "missing_mutually_exclusive_parameters")
    assert both.message == (
        f"Mutually exclusive parameters: '{_WHERE}'. Ensure you are only providing one of: 'file_id' or 'image_url'."
    )
    assert (both.param, both.code) == (_WHERE, "mutually_exclusive_parameters")


async def test_a_link_that_died_is_rejected_with_the_status_of_its_download(simulator: Simulator) -> None:
    await create_response(simulator, _with(image_url=_LINK))
    simulator.unavailable_urls[_LINK] = 403

    error = await expect_rejection(simulator, _with(image_url=_LINK))

    assert error.message == f"Error while downloading {_LINK}. Upstream status code: 403."
    assert (error.status, error.param, error.code) == (400, "url", "invalid_image_url")


async def test_a_dead_link_in_the_history_is_rejected_as_well(simulator: Simulator) -> None:
    conversation = await send_request(simulator, "POST", "/conversations", {})
    first = await create_response(simulator, {**_with(image_url=_LINK), "conversation": conversation["id"]})
    simulator.unavailable_urls[_LINK] = 404

    chained = await expect_rejection(simulator, make_request("and now?", previous_response_id=first["id"]))
    in_conversation = await expect_rejection(simulator, make_request("and now?", conversation=conversation["id"]))

    assert {chained.code, in_conversation.code} == {"invalid_image_url"}


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/p.png", "http://127.0.0.1/p.png", "http://10.0.0.7/p.png", "https://files.internal/p.png"],
)
async def test_a_link_into_a_private_network_cannot_be_downloaded(simulator: Simulator, url: str) -> None:
    error = await expect_rejection(simulator, _with(image_url=url))

    assert (error.message, error.code) == (f"Error while downloading {url}.", "invalid_image_url")


async def test_an_image_in_a_function_output_is_checked_too(simulator: Simulator) -> None:
    tool: JsonObject = {"type": "function", "name": "draw", "parameters": {"type": "object", "properties": {}}}
    first = await create_response(simulator, make_request("CALL draw {}", tools=[tool]))
    call_id = first["output"][0]["call_id"]
    drawn = {
        "type": "function_call_output",
        "call_id": call_id,
        "output": [{"type": "input_image", "file_id": "file_9"}],
    }

    error = await expect_rejection(
        simulator, {"model": "sim-1", "input": [drawn], "previous_response_id": first["id"], "tools": [tool]}
    )

    assert (error.status, error.message) == (404, "No such File object: file_9")


@pytest.mark.parametrize("kind", ["input_image", "input_file"])
async def test_a_file_must_exist(simulator: Simulator, kind: str) -> None:
    file = await upload_file(simulator, b"%PDF", name="p.pdf", purpose="vision")
    await create_response(simulator, _with(kind, file_id=file["id"]))
    await send_request(simulator, "DELETE", f"/files/{file['id']}")

    deleted = await expect_rejection(simulator, _with(kind, file_id=file["id"]))
    unknown = await expect_rejection(simulator, _with(kind, file_id="file-unknown"))

    assert (deleted.status, deleted.message) == (404, f"No such File object: {file['id']}")
    assert (unknown.status, unknown.message, unknown.param) == (404, "No such File object: file-unknown", "id")


async def test_a_file_by_url_is_judged_as_an_image_is(simulator: Simulator) -> None:
    simulator.unavailable_urls["https://cdn.example/a.pdf"] = 410

    invalid = await expect_rejection(simulator, _with("input_file", file_url="a.pdf"))
    dead = await expect_rejection(simulator, _with("input_file", file_url="https://cdn.example/a.pdf"))
    several = await expect_rejection(
        simulator, _with("input_file", file_url="https://cdn.example/b.pdf", file_id="file_1")
    )

    assert (invalid.param, invalid.code) == (f"{_WHERE}.file_url", "invalid_value")
    assert dead.message == "Error while downloading file. Upstream status code: 410."
    assert several.message.endswith("Ensure you are only providing one of: 'file_id', 'file_data' or 'file_url'.")


async def test_words_outside_of_the_messages_do_not_allow_json_mode(simulator: Simulator) -> None:
    json_mode = {"text": {"format": {"type": "json_object"}}}

    in_instructions = await expect_rejection(
        simulator, make_request("Bern", instructions="Answer in JSON.", **json_mode)
    )
    in_developer_message = await create_response(
        simulator,
        {"model": "sim-1", "input": [{"role": "developer", "content": "Answer in JSON."}, user("Bern")], **json_mode},
    )

    assert in_instructions.message == (
        "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
    )
    assert (in_instructions.status, in_instructions.param, in_instructions.code) == (400, "input", None)
    assert read_text(in_developer_message) == '{"text":"ECHO: Bern"}'
