"""What is made elsewhere and never named by a row is removed; what is named, or may still be, stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bridge.engine.hosted_tool_fixtures import HostedToolEnvironment, open_environment
from tests.request_context import CONTEXT
from threadbridge.api_types import DeletionStatus, JsonObject
from threadbridge.errors import BridgeError, StoreError, UpstreamError, UpstreamTimeout
from threadbridge.ports import Blob, ObjectKind
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.service import cleanup_intents, generated_files
from threadbridge.service.cleanup_intents import CleanupIntent
from threadbridge.service.context import ServiceContext
from threadbridge.service.generated_files import PersistedFile
from threadbridge.settings import Limits
from threadbridge.translation.generated_files import GeneratedFile

CODE = "PYTHON 1\nWRITES sums.csv 1,2"


def attaching(*file_ids: str) -> JsonObject:
    attachments = [{"file_id": file_id, "tools": [{"type": "file_search"}]} for file_id in file_ids]
    return {"role": "user", "content": "Hi", "attachments": attachments}


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class Turn:
    """A turn whose code made a file, as its worker sees it."""

    def __init__(self, here: HostedToolEnvironment, tenant: str = "default") -> None:
        self._here = here
        self._tenant = tenant
        self._mark = new_id("turn")

    def context(self) -> ServiceContext:
        return ServiceContext(self._here.clock.now(), new_id, "worker_1")

    async def keeps(self, content: bytes) -> Blob:
        mark = self._mark

        async def named(digest: str) -> str:
            return await self._here.store.write(
                lambda session: generated_files.reserve_blob_name(session, self.context(), digest, suffix=mark),
                tenant=self._tenant,
            )

        return await self._here.blobs.put(pieces(content), max_bytes=100, name_for=named)

    async def is_written(self, file_id: str, blob: Blob) -> frozenset[str]:
        kept = [PersistedFile(GeneratedFile(file_id, "sums.csv"), blob)]
        return await self._here.store.write(
            lambda session: generated_files.add_files(session, self.context(), kept), tenant=self._tenant
        )

    async def deletes(self, file_id: str) -> DeletionStatus | None:
        return await self._here.store.write(
            lambda session: generated_files.delete(session, self.context(), file_id), tenant=self._tenant
        )


# -- Contents --------------------------------------------------------------------------------------------------------


async def test_contents_that_a_turn_was_about_to_name_stay_though_their_last_file_is_deleted() -> None:
    async with open_environment() as here:
        first, second = Turn(here), Turn(here)
        await first.is_written("file-1", await first.keeps(b"1,2"))

        blob = await second.keeps(b"1,2")
        await first.deletes("file-1")
        lasting = await second.is_written("file-2", blob)

        assert lasting == {"file-2"}
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []
        here.clock.advance(7200)
        await here.run_to_end("Hi")
        assert await here.read_blob(blob.name) == b"1,2"


async def test_contents_of_a_deleted_file_are_removed_after_a_while() -> None:
    async with open_environment() as here:
        turn = Turn(here)
        blob = await turn.keeps(b"1,2")
        await turn.is_written("file-1", blob)

        answer, unknown = await turn.deletes("file-1"), await turn.deletes("file-unknown")
        await here.wait_for_cleanup()

        assert (answer, unknown) == ({"id": "file-1", "object": "file", "deleted": True}, None)
        with pytest.raises(StoreError):
            await here.read_blob(blob.name)


async def test_the_same_contents_are_kept_once_in_a_turn_and_after_it() -> None:
    async with open_environment() as here:
        turn, later = Turn(here), Turn(here)

        one, two = await asyncio.gather(turn.keeps(b"1,2"), turn.keeps(b"1,2"))
        await turn.is_written("file-1", one)
        three = await later.keeps(b"1,2")

        assert one == two == three


async def test_contents_that_cannot_be_removed_keep_no_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_environment() as here:
        stuck, other = await Turn(here).keeps(b"1,2"), await Turn(here).keeps(b"3,4")
        forget = here.blobs.delete

        async def sometimes(name: str) -> None:
            if name == stuck.name:
                raise StoreError("The disk is read-only.")
            await forget(name)

        monkeypatch.setattr(here.blobs, "delete", sometimes)

        await here.wait_until(lambda: here.has_cleanup_intents(1), hours=2)

        [left] = await here.list_rows(ObjectKind.CLEANUP_INTENT)
        assert left["id"] == stuck.name
        assert not await here.has_blob(other.name)


async def test_contents_that_two_files_share_stay_with_the_other() -> None:
    async with open_environment() as here:
        turn = Turn(here)
        for file_id in ("file-1", "file-2"):
            await turn.is_written(file_id, await turn.keeps(b"1,2"))
        one, two = await here.list_rows(ObjectKind.FILE)

        await turn.deletes("file-1")

        assert one["blob"] == two["blob"]
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []


async def test_contents_of_one_tenant_are_not_shared_with_another() -> None:
    async with open_environment() as here:
        own, other = await Turn(here).keeps(b"1,2"), await Turn(here, "other").keeps(b"1,2")

        assert own.name.partition("-")[0] == other.name.partition("-")[0]
        assert own.name != other.name


async def test_contents_kept_for_a_turn_that_was_never_written_are_removed() -> None:
    async with open_environment() as here:
        run = await here.run_to_end("Hi")
        here.upstream.pause("/content")
        text = "PYTHON 1\nWRITES one.csv 1,2\nWRITES two.csv 1,2"
        await here.backend.create_message(CONTEXT, run["thread_id"], {"role": "user", "content": text})
        await here.backend.create_run(CONTEXT, run["thread_id"], {"assistant_id": run["assistant_id"]})
        await here.wait_until(here.has_a_cleanup_intent)
        await here.backend.delete_thread(CONTEXT, run["thread_id"])
        intent, *_ = await here.list_rows(ObjectKind.CLEANUP_INTENT)
        await here.wait_until(lambda: here.has_blob(intent["blob"]))

        await here.wait_for_cleanup()

        assert await here.list_rows(ObjectKind.FILE) == []
        with pytest.raises(StoreError):
            await here.read_blob(intent["blob"])


async def test_a_turn_that_slept_until_its_contents_were_removed_names_them_no_more() -> None:
    async with open_environment() as here:
        turn = Turn(here)
        blob = await turn.keeps(b"1,2")
        await here.wait_for_cleanup()

        lasting = await turn.is_written("file-1", blob)

        assert (lasting, await here.list_rows(ObjectKind.FILE)) == (frozenset(), [])


async def test_contents_that_are_being_removed_cannot_be_named() -> None:
    async with open_environment() as here:
        turn, later = Turn(here), Turn(here)
        blob = await turn.keeps(b"1,2")

        condemned = await here.store.write(
            lambda session: generated_files.start_blob_cleanup(session, blob.name), tenant="default"
        )
        lasting = await turn.is_written("file-1", blob)
        again = await later.keeps(b"1,2")

        assert (condemned, lasting) == (True, frozenset())
        assert again.name != blob.name


# -- Vector stores ---------------------------------------------------------------------------------------------------


async def test_a_store_whose_process_died_before_it_knew_the_id_is_found_and_removed() -> None:
    async with open_environment() as here:
        others = [
            (await here.upstream.request("POST", "/vector_stores", {"name": f"theirs {n}"}))["id"] for n in range(3)
        ]
        errand: CleanupIntent = {
            "id": "errand_1",
            "created_at": int(here.clock.now()),
            "name": "threadbridge-errand_1",
            "store": None,
            "added": [],
            "uploaded": [],
        }
        await here.store.write(lambda session: cleanup_intents.record_intent(session, errand), tenant="default")
        await here.upstream.request("POST", "/vector_stores", {"name": "threadbridge-errand_1"})

        await here.wait_for_cleanup()

        assert {store["id"] for store in await here.list_vector_stores()} == set(others)


async def test_the_errand_is_written_before_the_store_is_made() -> None:
    async with open_environment() as here:
        leaving = here.upstream.pause("POST /vector_stores")
        asking = asyncio.ensure_future(
            here.backend.create_thread(CONTEXT, {"messages": [attaching(await here.upload_file())]})
        )
        await leaving.is_reached.wait()

        [errand] = await here.list_rows(ObjectKind.CLEANUP_INTENT)

        leaving.may_continue.set()
        await asking
        [store] = await here.list_vector_stores()
        assert errand["name"] == store["name"] == f"threadbridge-{errand['id']}"
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []


async def test_a_request_that_takes_long_is_not_taken_for_dead() -> None:
    async with open_environment(limits=Limits(supply_seconds=100_000)) as here:
        leaving = here.upstream.pause("/files")
        asking = asyncio.ensure_future(
            here.backend.create_thread(CONTEXT, {"messages": [attaching(await here.upload_file())]})
        )
        await leaving.is_reached.wait()
        here.clock.advance(90_000)
        await here.run_to_end("Hi")
        leaving.may_continue.set()

        thread = await asking

        kept = thread["tool_resources"].get("file_search", {}).get("vector_store_ids")
        assert [store["id"] for store in await here.list_vector_stores()] == kept


async def test_a_request_that_takes_too_long_is_refused_by_the_name_of_the_limit_and_leaves_nothing() -> None:
    async with open_environment(limits=Limits(supply_seconds=0.05)) as here:
        here.upstream.pause("/files")

        with pytest.raises(UpstreamTimeout, match="limits.supply_seconds"):
            await here.backend.create_thread(CONTEXT, {"messages": [attaching(await here.upload_file())]})

        assert (
            await here.list_vector_stores(),
            await here.list_rows(ObjectKind.CLEANUP_INTENT),
            await here.list_rows(ObjectKind.THREAD),
        ) == ([], [], [])


async def test_a_request_whose_store_is_being_removed_is_refused_and_not_written() -> None:
    async with open_environment() as here:
        leaving = here.upstream.pause("/files")
        asking = asyncio.ensure_future(
            here.backend.create_thread(CONTEXT, {"messages": [attaching(await here.upload_file())]})
        )
        await leaving.is_reached.wait()
        [errand] = await here.list_rows(ObjectKind.CLEANUP_INTENT)
        await here.store.write(lambda session: cleanup_intents.start_cleanup(session, errand["id"]), tenant="default")
        leaving.may_continue.set()

        with pytest.raises(UpstreamTimeout, match="too long"):
            await asking

        assert (await here.list_vector_stores(), await here.list_rows(ObjectKind.THREAD)) == ([], [])


async def test_the_copy_of_a_file_of_ours_is_removed_where_the_request_is_refused() -> None:
    async with open_environment() as here:
        await here.run_to_end(CODE)
        [row] = await here.list_rows(ObjectKind.FILE)
        here.upstream.failures["POST /vector_stores"] = UpstreamError("Ouch.", status=500)

        with pytest.raises(BridgeError, match="Ouch"):
            await here.backend.create_thread(CONTEXT, {"messages": [attaching(row["id"])]})

        assert (await here.upstream.request("GET", "/files"))["data"] == []


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (3600, False), (3601, True)])
def test_an_errand_is_due_when_nothing_that_may_fulfil_it_takes_so_long(seconds: int, due: bool) -> None:
    errand: CleanupIntent = {"id": "errand_1", "created_at": 1000, "condemned": False}

    assert cleanup_intents.is_cleanup_due(errand, Limits(), 1000 + seconds) is due
    assert cleanup_intents.is_cleanup_due(errand, Limits(run_expiry_seconds=86_400), 1000 + seconds) is False
    assert (
        cleanup_intents.compute_cleanup_delay(Limits(abandoned_seconds=1, supply_seconds=700, busy_wait_seconds=20))
        == 720
    )
