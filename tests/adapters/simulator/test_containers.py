"""`/v1/containers` of the simulator."""

from __future__ import annotations

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
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator, SimulatorLimits

_MINUTE = 60


async def test_a_new_container_has_the_keys_of_recordings_in_their_order(simulator: Simulator) -> None:
    """Recorded (openai-dotnet ContainerTests)."""
    container = await send_request(simulator, "POST", "/containers", {"name": "mine"})

    assert list(container.items()) == [
        ("id", "cntr_1"),
        ("object", "container"),
        ("created_at", 1_795_258_800),
        ("status", "running"),
        ("expires_after", {"anchor": "last_active_at", "minutes": 20}),
        ("last_active_at", 1_795_258_800),
        ("name", "mine"),
    ]


async def test_a_container_shows_the_memory_it_was_given(simulator: Simulator) -> None:
    container = await send_request(simulator, "POST", "/containers", {"name": "mine", "memory_limit": "4g"})

    assert container["memory_limit"] == "4g"


async def test_a_memory_limit_of_no_known_size_is_refused(simulator: Simulator) -> None:
    error = await expect_request_rejection(simulator, "POST", "/containers", {"name": "mine", "memory_limit": "2g"})

    assert error.message == "Invalid value: '2g'. Supported values are: '1g', '4g', '16g', and '64g'."


async def test_a_container_that_is_used_lives_on(simulator: Simulator, clock: ManualClock) -> None:
    container = await send_request(simulator, "POST", "/containers", {"name": "mine"})

    clock.advance(19 * _MINUTE)
    await send_request(simulator, "GET", f"/containers/{container['id']}")
    clock.advance(19 * _MINUTE)
    seen = await send_request(simulator, "GET", f"/containers/{container['id']}")

    assert seen["status"] == "running"


async def test_an_idle_container_expires_and_its_files_are_lost(simulator: Simulator, clock: ManualClock) -> None:
    file = await upload_file(simulator, "x")
    container = await send_request(simulator, "POST", "/containers", {"name": "mine", "file_ids": [file["id"]]})

    clock.advance(20 * _MINUTE)
    seen = await send_request(simulator, "GET", f"/containers/{container['id']}")
    error = await expect_request_rejection(simulator, "GET", f"/containers/{container['id']}/files")

    assert seen["status"] == "expired"
    assert (error.status, error.message) == (400, "Container is expired.")


async def test_an_uploaded_file_is_found_under_its_id_and_name(simulator: Simulator) -> None:
    """Recorded (pydantic-ai test_openai_code_execution_files)."""
    file = await upload_file(simulator, "a,b", name="data.csv")
    container = await send_request(simulator, "POST", "/containers", {"name": "mine", "file_ids": [file["id"]]})

    files = await send_request(simulator, "GET", f"/containers/{container['id']}/files")

    assert files["data"] == [
        {
            "id": "cfile_1",
            "object": "container.file",
            "created_at": 1_795_258_800,
            "bytes": 3,
            "container_id": "cntr_1",
            "path": "/mnt/data/file_1-data.csv",
            "source": "user",
        }
    ]


async def test_a_file_can_be_sent_to_a_container_read_and_deleted(simulator: Simulator) -> None:
    """Recorded (openai-dotnet ContainerTests): 32 hexadecimal digits before the name."""
    container = await send_request(simulator, "POST", "/containers", {"name": "mine"})
    files = f"/containers/{container['id']}/files"

    sent = await SimulatedUpstream(simulator).upload(
        files, filename="x.txt", content=iterate_chunks(b"abc", b"def"), fields={}
    )
    content = await download_file(simulator, f"{files}/{sent['id']}/content")
    deleted = await send_request(simulator, "DELETE", f"{files}/{sent['id']}")
    error = await expect_request_rejection(simulator, "GET", f"{files}/{sent['id']}")

    assert sent["path"] == "/mnt/data/e80b5017098950fc58aad83c8c14978e-x.txt"
    assert content == b"abcdef"
    assert deleted == {"id": sent["id"], "object": "container.file.deleted", "deleted": True}
    assert error.status == 404


async def test_an_uploaded_file_can_be_put_into_a_container_later(simulator: Simulator) -> None:
    file = await upload_file(simulator, "x", name="data.csv")
    container = await send_request(simulator, "POST", "/containers", {"name": "mine"})

    put = await send_request(simulator, "POST", f"/containers/{container['id']}/files", {"file_id": file["id"]})

    assert put["path"] == "/mnt/data/file_1-data.csv"


@pytest.mark.parametrize("path", ["/containers/cntr_9", "/containers/cntr_9/files"])
async def test_an_unknown_container_is_not_found(simulator: Simulator, path: str) -> None:
    error = await expect_request_rejection(simulator, "GET", path)

    assert (error.status, error.message) == (404, "Container with id 'cntr_9' not found.")


async def test_containers_are_listed_and_deleted(simulator: Simulator) -> None:
    for name in ("first", "second"):
        await send_request(simulator, "POST", "/containers", {"name": name})

    listed = await send_request(simulator, "GET", "/containers?order=asc")
    deleted = await send_request(simulator, "DELETE", "/containers/cntr_1")
    error = await expect_request_rejection(simulator, "GET", "/containers/cntr_1")

    assert [container["name"] for container in listed["data"]] == ["first", "second"]
    assert deleted == {"id": "cntr_1", "object": "container.deleted", "deleted": True}
    assert error.status == 404


async def test_a_container_keeps_so_many_files(clock: ManualClock) -> None:
    simulator = Simulator(clock=clock, new_id=CountingIds(), limits=SimulatorLimits(container_files=1))
    files = [(await upload_file(simulator, "x", name=name))["id"] for name in ("1.txt", "2.txt")]

    error = await expect_request_rejection(simulator, "POST", "/containers", {"name": "mine", "file_ids": files})

    assert "at most 1 files" in error.message
