"""Items that belong together: calls and outputs, reasoning and its successor, ids and what is stored (§9)."""

from __future__ import annotations

import pytest

from tests.adapters.simulator.simulator_client import (
    WEATHER,
    create_response,
    expect_rejection,
    make_next_request,
    make_request,
    output,
    read_text,
    send_request,
    user,
)
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import FunctionCall, Scenario, Simulator

_CALLING = make_request("CALL get_weather {}", tools=[WEATHER])
_REASONING: JsonObject = {"model": "gpt-6-luna", "include": ["reasoning.encrypted_content"]}


async def test_a_call_without_output_is_refused(simulator: Simulator) -> None:
    said = await create_response(simulator, _CALLING)

    error = await expect_rejection(simulator, {**_CALLING, "input": [user("x"), *said["output"], user("and?")]})

    assert error.message == f"No tool output found for function call {said['output'][0]['call_id']}."
    assert (error.status, error.param, error.code) == (400, "input", None)


async def test_an_output_without_call_is_refused(simulator: Simulator) -> None:
    error = await expect_rejection(simulator, {**_CALLING, "input": [user("x"), output("call_x", "rain")]})

    assert error.message == "No tool call found for function call output with call_id call_x."


async def test_a_chained_request_answers_the_calls_of_the_response_before(simulator: Simulator) -> None:
    said = await create_response(simulator, _CALLING)
    call_id = said["output"][0]["call_id"]

    bare = await expect_rejection(simulator, {**_CALLING, "input": "go on", "previous_response_id": said["id"]})
    done = await create_response(
        simulator, {**_CALLING, "input": [output(call_id, "rain")], "previous_response_id": said["id"]}
    )

    assert bare.message == f"No tool output found for function call {call_id}."
    assert (read_text(done), done["previous_response_id"]) == ("RESULT: rain", said["id"])


async def test_what_was_not_stored_cannot_be_continued(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("x", store=False))

    error = await expect_rejection(simulator, make_request("y", previous_response_id=said["id"]))

    assert error.code == "previous_response_not_found"


async def test_a_response_is_kept_for_thirty_days(simulator: Simulator, clock: ManualClock) -> None:
    said = await create_response(simulator, make_request("x"))
    clock.advance(30 * 86_400 - 1)
    later = await create_response(simulator, make_request("y", previous_response_id=said["id"]))
    clock.advance(1)

    error = await expect_rejection(simulator, make_request("z", previous_response_id=said["id"]))
    still = await create_response(simulator, make_request("z", previous_response_id=later["id"]))

    assert (error.status, error.code) == (400, "previous_response_not_found")
    assert error.message == f"Previous response with id '{said['id']}' not found."
    assert still["status"] == "completed"


async def test_what_is_in_a_conversation_stays(simulator: Simulator, clock: ManualClock) -> None:
    conversation_id = simulator.conversations.create({})["id"]
    await create_response(simulator, make_request("x", conversation=conversation_id))
    clock.advance(400 * 86_400)

    await create_response(simulator, make_request("y", conversation=conversation_id))

    assert len(simulator.conversations.list_items(conversation_id, {})["data"]) == 4


async def test_the_whole_chain_is_charged_again(simulator: Simulator) -> None:
    first = await create_response(simulator, make_request("a few words to begin with"))
    second = await create_response(simulator, make_request("and more", previous_response_id=first["id"]))

    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"] + first["usage"]["output_tokens"]


async def test_reasoning_may_be_replayed_whole(simulator: Simulator) -> None:
    body = {**_REASONING, "input": "CALL get_weather {}", "tools": [WEATHER], "store": False}
    said = await create_response(simulator, body)

    done = await create_response(simulator, make_next_request(body, said, "rain"))

    assert [item["type"] for item in said["output"]] == ["reasoning", "function_call"]
    assert read_text(done) == "RESULT: rain"


async def test_reasoning_without_its_successor_is_refused(simulator: Simulator) -> None:
    """pydantic-ai test_openai_responses_thinking_with_modified_history: another message in its place."""
    said = await create_response(simulator, {**_REASONING, "input": "x"})
    thought = said["output"][0]
    changed = {"role": "assistant", "content": "The meaning of life is 42"}

    error = await expect_rejection(simulator, {**_REASONING, "input": [user("x"), thought, changed, user("more?")]})

    expected = f"Item '{thought['id']}' of type 'reasoning' was provided without its required following item."
    assert (error.message, error.param, error.code) == (expected, "input", None)


async def test_a_message_without_its_reasoning_is_refused(simulator: Simulator) -> None:
    said = await create_response(simulator, {**_REASONING, "input": "x"})
    message = said["output"][1]

    error = await expect_rejection(simulator, {**_REASONING, "input": [user("x"), message, user("more?")]})

    assert error.message == (
        f"Item '{message['id']}' of type 'message' was provided without its required preceding item of type "
        "'reasoning'."
    )


async def test_without_ids_nothing_needs_to_be_paired(simulator: Simulator) -> None:
    said = await create_response(simulator, {**_REASONING, "input": "x"})
    message = {key: value for key, value in said["output"][1].items() if key != "id"}

    done = await create_response(simulator, {**_REASONING, "input": [user("x"), message, user("more?")]})

    assert read_text(done) == "ECHO: more?"


@pytest.mark.parametrize(
    ("store", "tail"),
    [
        (True, ""),
        (
            False,
            " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove "
            "this item from your input.",
        ),
    ],
)
async def test_reasoning_that_was_not_stored_is_not_found_by_id(simulator: Simulator, store: bool, tail: str) -> None:
    thought: JsonObject = {"type": "reasoning", "id": "rs_gone", "summary": []}

    error = await expect_rejection(simulator, {"model": "gpt-6-luna", "input": [user("x"), thought], "store": store})

    assert (error.status, error.message) == (404, f"Item with id 'rs_gone' not found.{tail}")


async def test_encrypted_content_must_arrive_whole(simulator: Simulator) -> None:
    said = await create_response(simulator, {**_REASONING, "input": "x", "store": False})
    thought = said["output"][0]
    cut = {**thought, "encrypted_content": thought["encrypted_content"][:-4]}

    error = await expect_rejection(simulator, {**_REASONING, "input": [user("x"), cut, said["output"][1]]})

    assert error.code == "invalid_encrypted_content"
    assert error.message.startswith("The encrypted content gAAA...")


async def test_encrypted_content_is_only_given_when_asked_for(simulator: Simulator) -> None:
    said = await create_response(simulator, {"model": "gpt-6-luna", "input": "x"})

    assert "encrypted_content" not in said["output"][0]


async def test_a_reference_stands_for_a_stored_item(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("x"))
    reference = {"type": "item_reference", "id": said["output"][0]["id"]}

    done = await create_response(simulator, make_request("x") | {"input": [user("x"), reference, user("y")]})
    error = await expect_rejection(
        simulator, make_request("x") | {"input": [{"type": "item_reference", "id": "msg_gone"}]}
    )

    assert read_text(done) == "ECHO: y"
    assert (error.status, error.message) == (404, "Item with id 'msg_gone' not found.")


async def test_the_same_item_twice_is_refused(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("x"))

    error = await expect_rejection(simulator, make_request("x") | {"input": [said["output"][0], said["output"][0]]})

    assert error.message.startswith(f"Duplicate item found with id {said['output'][0]['id']}.")


async def test_a_scripted_call_takes_part_in_the_pairing(simulator: Simulator) -> None:
    simulator.enqueue(Scenario.from_calls(FunctionCall("undeclared", "{broken", call_id="call_mine")))
    await create_response(simulator, make_request("x"))

    done = await create_response(
        simulator, make_request("y", previous_response_id="resp_1") | {"input": [output("call_mine", "no")]}
    )

    assert read_text(done) == "RESULT: no"


@pytest.mark.parametrize(
    ("deleted", "message"),
    [
        (1, "Item '{0}' of type 'reasoning' was provided without its required following item."),
        (0, "Item '{1}' of type 'message' was provided without its required preceding item of type 'reasoning'."),
    ],
)
async def test_an_item_deleted_from_a_conversation_leaves_its_pair_unusable(
    simulator: Simulator, deleted: int, message: str
) -> None:
    conversation = await send_request(simulator, "POST", "/conversations", {})
    request = {**_REASONING, "conversation": conversation["id"]}
    first = await create_response(simulator, {**request, "input": "x"})
    second = await create_response(simulator, {**request, "input": "y"})
    ids = [item["id"] for item in first["output"]]
    await send_request(simulator, "DELETE", f"/conversations/{conversation['id']}/items/{ids[deleted]}")

    error = await expect_rejection(simulator, {**request, "input": "z"})

    assert second["status"] == "completed"
    assert (error.status, error.message) == (400, message.format(*ids))
