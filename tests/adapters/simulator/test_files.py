"""`/v1/files` and `/v1/uploads` of the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest

from tests.adapters.simulator.simulator_client import (
    CountingIds,
    download_file,
    expect_request_rejection,
    iterate_chunks,
    send_request,
    upload_file,
)
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.errors import UpstreamError
from threadbridge.ports import PassthroughRequest
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator, SimulatorLimits

_HOUR = 3_600


async def test_an_uploaded_file_has_the_keys_of_recordings_in_their_order(simulator: Simulator) -> None:
    file = await upload_file(simulator, "pizza", name="foods.txt")

    assert list(file.items()) == [
        ("object", "file"),
        ("id", "file_1"),
        ("purpose", "assistants"),
        ("filename", "foods.txt"),
        ("bytes", 5),
        ("created_at", 1_795_258_800),
        ("expires_at", None),
        ("status", "processed"),
        ("status_details", None),
    ]


async def test_a_file_comes_back_as_it_was_sent(simulator: Simulator) -> None:
    content = bytes(range(256)) * 4_096  # large enough to lie on disk
    file = await upload_file(simulator, content, purpose="batch")

    received = await download_file(simulator, f"/files/{file['id']}/content")

    assert received == content


async def test_files_are_listed_newest_first_and_by_purpose(simulator: Simulator) -> None:
    for number, purpose in enumerate(["assistants", "vision", "assistants"], 1):
        await upload_file(simulator, "x", name=f"{number}.txt", purpose=purpose)

    everything = await send_request(simulator, "GET", "/files")
    oldest = await send_request(simulator, "GET", "/files?purpose=assistants&order=asc&limit=1")
    rest = await send_request(simulator, "GET", "/files?purpose=assistants&order=asc&after=file_1")

    assert [file["filename"] for file in everything["data"]] == ["3.txt", "2.txt", "1.txt"]
    assert ([file["id"] for file in oldest["data"]], oldest["has_more"]) == (["file_1"], True)
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == (["file_3"], False)


async def test_a_deleted_file_is_gone(simulator: Simulator) -> None:
    """Recorded (openai-dotnet FilesTests, A102)."""
    file = await upload_file(simulator, "x")

    deleted = await send_request(simulator, "DELETE", f"/files/{file['id']}")
    error = await expect_request_rejection(simulator, "GET", f"/files/{file['id']}")

    assert deleted == {"object": "file", "deleted": True, "id": "file_1"}
    assert (error.status, error.message, error.param, error.code) == (404, "No such File object: file_1", "id", None)


async def test_files_for_the_models_eyes_only_are_not_given_back(simulator: Simulator) -> None:
    file = await upload_file(simulator, "x", purpose="assistants")

    with pytest.raises(UpstreamError, match="Not allowed to download files of purpose: assistants"):
        await download_file(simulator, f"/files/{file['id']}/content")


async def test_an_unknown_purpose_is_refused_with_the_known_ones(simulator: Simulator) -> None:
    """Recorded (openai-dotnet UploadFileCanParseServiceError)."""
    with pytest.raises(UpstreamError) as refused:
        await upload_file(simulator, "x", purpose="world_domination")

    assert refused.value.message == (
        "'world_domination' is not one of "
        "['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'"
    )
    assert (refused.value.status, refused.value.param) == (400, "purpose")


async def test_an_empty_file_is_refused(simulator: Simulator) -> None:
    with pytest.raises(UpstreamError, match=r"File is empty\."):
        await upload_file(simulator, "")


async def test_a_file_goes_when_its_time_is_over(simulator: Simulator, clock: ManualClock) -> None:
    lasting = {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(_HOUR)}
    file = await upload_file(simulator, "x", **lasting)

    clock.advance(_HOUR)
    error = await expect_request_rejection(simulator, "GET", f"/files/{file['id']}")

    assert file["expires_at"] == file["created_at"] + _HOUR
    assert error.status == 404


async def test_a_form_that_breaks_off_leaves_nothing(simulator: Simulator) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half of"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await SimulatedUpstream(simulator).upload(
            "/files", filename="x.txt", content=broken(), fields={"purpose": "assistants"}
        )

    assert (await send_request(simulator, "GET", "/files"))["data"] == []


async def test_the_oldest_files_go_when_there_are_too_many_or_too_many_bytes(clock: ManualClock) -> None:
    few = Simulator(clock=clock, new_id=CountingIds(), limits=SimulatorLimits(files=2))
    small = Simulator(clock=clock, new_id=CountingIds(), limits=SimulatorLimits(total_file_bytes=10))

    for simulator in (few, small):
        for _ in range(3):
            await upload_file(simulator, "12345")

    kept = [[file["id"] for file in (await send_request(each, "GET", "/files"))["data"]] for each in (few, small)]
    assert kept == [["file_3", "file_2"], ["file_3", "file_2"]]


async def test_a_file_over_the_limit_is_refused(clock: ManualClock) -> None:
    simulator = Simulator(clock=clock, limits=SimulatorLimits(file_bytes=4))

    with pytest.raises(UpstreamError) as refused:
        await upload_file(simulator, "12345")

    assert refused.value.status == 413


def _wanted(size: int) -> dict[str, object]:
    return {"bytes": size, "filename": "big.jsonl", "mime_type": "text/jsonl", "purpose": "batch"}


async def _part(simulator: Simulator, upload_id: str, content: bytes) -> str:
    head = b'--b\r\nContent-Disposition: form-data; name="data"; filename="part"\r\n\r\n'
    request = PassthroughRequest(
        "POST",
        f"/uploads/{upload_id}/parts",
        headers={"content-type": "multipart/form-data; boundary=b"},
        body=iterate_chunks(head, content, b"\r\n--b--\r\n"),
    )
    part = await SimulatedUpstream(simulator).handle_passthrough(CONTEXT, request)
    assert isinstance(part.body, bytes)
    return str(orjson.loads(part.body)["id"])


async def test_parts_become_one_file_in_the_order_they_are_named(simulator: Simulator) -> None:
    upload = await send_request(simulator, "POST", "/uploads", _wanted(6))
    second = await _part(simulator, upload["id"], b"def")
    first = await _part(simulator, upload["id"], b"abc")

    done = await send_request(simulator, "POST", f"/uploads/{upload['id']}/complete", {"part_ids": [first, second]})

    assert (upload["status"], done["status"], done["file"]["filename"]) == ("pending", "completed", "big.jsonl")
    assert await download_file(simulator, f"/files/{done['file']['id']}/content") == b"abcdef"


async def test_an_upload_must_be_as_large_as_announced(simulator: Simulator) -> None:
    upload = await send_request(simulator, "POST", "/uploads", _wanted(6))
    part = await _part(simulator, upload["id"], b"abc")

    error = await expect_request_rejection(simulator, "POST", f"/uploads/{upload['id']}/complete", {"part_ids": [part]})

    assert (error.status, "6 bytes" in error.message) == (400, True)


async def test_a_cancelled_upload_takes_no_parts(simulator: Simulator) -> None:
    upload = await send_request(simulator, "POST", "/uploads", _wanted(6))

    cancelled = await send_request(simulator, "POST", f"/uploads/{upload['id']}/cancel")
    error = await expect_request_rejection(simulator, "POST", f"/uploads/{upload['id']}/complete", {"part_ids": []})

    assert (cancelled["status"], error.message) == ("cancelled", "Upload 'upload_1' is cancelled.")


async def test_an_upload_expires_after_an_hour(simulator: Simulator, clock: ManualClock) -> None:
    upload = await send_request(simulator, "POST", "/uploads", _wanted(6))

    clock.advance(_HOUR)
    error = await expect_request_rejection(simulator, "POST", f"/uploads/{upload['id']}/cancel")

    assert error.message == "Upload 'upload_1' is expired."
