"""Numbered differences about ids of a service that is gone: adopted threads, declared assistants."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.emulated_service import message_text, open_service
from tests.request_context import CONTEXT
from threadbridge.errors import ConfigurationError, InvalidRequest, NotFound
from threadbridge.ports import Backend, RequestContext
from threadbridge.runtime.plugins import open_backend
from threadbridge.runtime.settings_loader import load_settings

OLD = "thread_fRk2Zt0aWq9LxB7cVd5PnUeY"
DECLARED = {"asst_old": {"model": "gpt-4o", "name": "Support", "instructions": "Be brief."}}


async def test_d120_every_first_use_of_an_unknown_thread_finds_an_empty_one() -> None:
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        assistant_id = await service.create_assistant(instructions="Be brief.")
        uses = [f"thread_{name:A<24}" for name in ("retrieve", "update", "messages", "list", "runs", "run", "no")]

        retrieved = await service.get(f"/threads/{uses[0]}")
        updated = await service.post(f"/threads/{uses[1]}", metadata={"a": "1"})
        message = await service.post(f"/threads/{uses[2]}/messages", role="user", content="Hi")
        listed = await service.get(f"/threads/{uses[3]}/messages")
        runs = await service.get(f"/threads/{uses[4]}/runs")
        run = await service.post(f"/threads/{uses[5]}/runs", assistant_id=assistant_id)
        unknown_run = await service.get(f"/threads/{uses[6]}/runs/run_x")

    assert (retrieved.body["id"], retrieved.body["created_at"], retrieved.body["metadata"]) == (
        uses[0],
        int(service.clock.now()),
        {},
    )
    assert updated.body["metadata"] == {"a": "1"}
    assert (message.body["thread_id"], run.body["thread_id"]) == (uses[2], uses[5])
    assert (listed.body["data"], runs.body["data"]) == ([], [])
    assert (unknown_run.status, unknown_run.error["message"]) == (404, "No run found with id 'run_x'.")


async def test_d120_an_adopted_thread_continues_as_any_other(caplog: pytest.LogCaptureFixture) -> None:
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        with caplog.at_level(logging.WARNING):
            await service.post(f"/threads/{OLD}/messages", role="user", content="Hello")
        started = await service.post(f"/threads/{OLD}/runs", assistant_id=await service.create_assistant())
        run = await service.wait_until_rest(started.body)
        messages = await service.list_messages(run)

    assert run["status"] == "completed"
    assert [message_text(message) for message in messages] == ["Hello", "ECHO: Hello"]
    assert [record for record in caplog.records if OLD in record.getMessage()]


async def test_d120_by_default_and_for_other_ids_the_404_stays() -> None:
    async with open_service() as service:
        refused = await service.get(f"/threads/{OLD}")
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        short = await service.get("/threads/thread_short")
        long = await service.get(f"/threads/thread_{'a' * 65}")

    assert (refused.status, refused.error["message"]) == (404, f"No thread found with id '{OLD}'.")
    assert (short.status, long.status) == (404, 404)


async def test_d120_a_thread_that_was_deleted_stays_unknown() -> None:
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        thread_id = await service.create_thread("Hi")
        await service.get(f"/threads/{OLD}")
        for each in (thread_id, OLD):
            assert (await service.delete(f"/threads/{each}")).status == 200

        assert [(await service.get(f"/threads/{each}")).status for each in (thread_id, OLD)] == [404, 404]


async def test_d120_only_listed_ids_are_adopted(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("\ufeff# ours\nthread_mine  # the first\n\n", "utf-8")
    policies = {"unknown_thread": "adopt", "adoptable_threads": str(tmp_path / "ids.txt")}
    async with open_service(policies=policies) as service:
        statuses = [(await service.get(f"/threads/{each}")).status for each in ("thread_mine", OLD)]

    assert statuses == [200, 404]


async def test_d120_a_list_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    policies = {"unknown_thread": "adopt", "adoptable_threads": str(tmp_path / "none.txt")}
    with pytest.raises(ConfigurationError, match="name a text file with a thread id a line"):
        async with open_service(policies=policies):
            raise AssertionError("the list was not read")


async def test_d120_of_many_first_uses_at_once_one_creates_the_thread() -> None:
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        answers = await asyncio.gather(
            *(service.post(f"/threads/{OLD}/messages", role="user", content=f"{n}") for n in range(10))
        )
        listed = await service.get(f"/threads/{OLD}/messages", limit="100")

    assert {answer.status for answer in answers} == {200}
    assert len(listed.body["data"]) == 10


async def test_d120_tenants_adopt_the_same_id_each_for_itself() -> None:
    async with open_service(policies={"unknown_thread": "adopt"}) as service:
        await service.post(f"/threads/{OLD}/messages", role="user", content="mine")
        context = RequestContext("other")

        adopted = await service.backend.retrieve_thread(context, OLD)
        await service.backend.delete_thread(context, OLD)

        assert adopted["id"] == OLD
        assert len((await service.get(f"/threads/{OLD}/messages")).body["data"]) == 1
        with pytest.raises(NotFound):
            await service.backend.retrieve_thread(context, OLD)


# -- Declared assistants ----------------------------------------------------------------------------------------------


async def open_declared(store: Path, **assistants: object) -> Backend:
    settings = load_settings(simulate=True, store=f"sqlite:///{store}", assistants=assistants)
    return await open_backend(settings)


async def test_d121_a_declared_assistant_has_its_id_and_runs(tmp_path: Path) -> None:
    backend = await open_declared(tmp_path / "a.db", **DECLARED)
    try:
        assistant = await backend.retrieve_assistant(CONTEXT, "asst_old")
        thread = {"messages": [{"role": "user", "content": "Hi"}]}
        run = await backend.create_thread_and_run(CONTEXT, {"assistant_id": "asst_old", "thread": thread})
    finally:
        await backend.aclose()

    assert (assistant["id"], assistant["name"], assistant["tools"]) == ("asst_old", "Support", [])
    assert (run["assistant_id"], run["instructions"]) == ("asst_old", "Be brief.")


async def test_d121_requests_cannot_change_it_and_the_error_says_where_to(tmp_path: Path) -> None:
    backend = await open_declared(tmp_path / "a.db", **DECLARED)
    try:
        for change in (
            backend.update_assistant(CONTEXT, "asst_old", {"name": "x"}),
            backend.delete_assistant(CONTEXT, "asst_old"),
        ):
            with pytest.raises(InvalidRequest, match="is declared in the configuration") as refused:
                await change
            assert refused.value.code == "assistant_read_only"
        own = await backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
        assert (await backend.update_assistant(CONTEXT, own["id"], {"name": "x"}))["name"] == "x"
    finally:
        await backend.aclose()


async def test_d121_the_next_start_stores_what_changed_and_keeps_the_time(tmp_path: Path) -> None:
    first = await open_declared(tmp_path / "a.db", **DECLARED)
    created = await first.retrieve_assistant(CONTEXT, "asst_old")
    await first.aclose()

    changed = {"asst_old": {**DECLARED["asst_old"], "name": "Help"}}
    second = await open_declared(tmp_path / "a.db", **changed, declared_mode="sync")
    try:
        stored = await second.retrieve_assistant(CONTEXT, "asst_old")
        updated = await second.update_assistant(CONTEXT, "asst_old", {"name": "Mine"})
    finally:
        await second.aclose()

    assert (stored["name"], stored["created_at"], updated["name"]) == ("Help", created["created_at"], "Mine")


async def test_d121_files_of_a_directory_are_assistants_too(tmp_path: Path) -> None:
    folder = tmp_path / "assistants"
    folder.mkdir()
    (folder / "asst_file.toml").write_text('model = "gpt-4o"\ninstructions_file = "support.md"\n')
    (folder / "support.md").write_text("Speak kindly.")
    (folder / "named.toml").write_text('id = "asst_named"\nmodel = "gpt-4o"\ntools = [{type = "code_interpreter"}]\n')

    backend = await open_declared(tmp_path / "a.db", directory=str(folder), **DECLARED)
    try:
        assert (await backend.retrieve_assistant(CONTEXT, "asst_file"))["instructions"] == "Speak kindly."
        assert (await backend.retrieve_assistant(CONTEXT, "asst_named"))["tools"] == [{"type": "code_interpreter"}]
        assert (await backend.retrieve_assistant(CONTEXT, "asst_old"))["name"] == "Support"
    finally:
        await backend.aclose()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("asst_a.toml", "model = ", "must be valid TOML"),
        ("asst_a.toml", 'name = "x"', "Missing required parameter: 'model'"),
        ("asst_a.toml", 'model = "gpt-4o"\ncolour = 1', "Unknown parameter: 'colour'"),
        ("asst_a.toml", 'model = "gpt-4o"\ninstructions_file = "none.md"', "none.md cannot be read"),
        ("asst_a.toml", 'model = "m"\ninstructions = "a"\ninstructions_file = "b"', "give either instructions or"),
        ("support.toml", 'model = "gpt-4o"', "Invalid 'id'"),
        ("b.toml", 'id = 3\nmodel = "gpt-4o"', "the id must be a string"),
        ("b.toml", 'id = "asst_old"\nmodel = "gpt-4o"', "declared twice"),
    ],
)
async def test_d121_a_wrong_declaration_is_named_and_nothing_starts(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        await open_declared(tmp_path / "a.db", directory=str(tmp_path), **DECLARED)

    assert message in refused.value.message
    assert name in refused.value.message
