"""Requests that are refused, in the service's words.

Texts marked with a recording are quoted from `../shared/recordings/responses`; A… and § from `../shared/reference`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.simulator.simulator_client import WEATHER, expect_rejection, make_request, user
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import Simulator

_NO_STRICT = {**WEATHER, "parameters": {"type": "object", "properties": {"unit": {"type": "string"}}}}
_OPTIONAL = {**_NO_STRICT, "parameters": {**_NO_STRICT["parameters"], "additionalProperties": False}}
_FORMAT: JsonObject = {
    "type": "json_schema",
    "name": "response",
    "schema": {"type": "object", "properties": {}},
    "strict": True,
}

#: (what it shows, body, message, param, code); the status is 400.
REFUSED: list[tuple[str, Any, str, str | None, str | None]] = [
    ("A17", {"input": "x"}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    ("A17", make_request("x", metadat={}), "Unknown parameter: 'metadat'.", "metadat", "unknown_parameter"),
    (
        "A17",
        make_request("x", store="yes"),
        "Invalid type for 'store': expected a boolean, but got a string instead.",
        "store",
        "invalid_type",
    ),
    (
        "pydantic-ai test_openai_responses_model_http_error",
        make_request("x", temperature=-1),
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        "temperature",
        "decimal_below_min_value",
    ),
    (
        "A17, §3",
        make_request("x", max_output_tokens=10),
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 10 instead.",
        "max_output_tokens",
        "integer_below_min_value",
    ),
    (
        "§4: the Chat Completions shape",
        make_request("x", tools=[{"type": "function", "function": {"name": "f"}}]),
        "Missing required parameter: 'tools[0].name'.",
        "tools[0].name",
        "missing_required_parameter",
    ),
    (
        "§5: the Chat Completions shape",
        make_request("x", tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "get_weather"}}),
        "Missing required parameter: 'tool_choice.name'.",
        "tool_choice.name",
        "missing_required_parameter",
    ),
    (
        "a schema of parameters that is no object (langchain, semantic-kernel and others report it)",
        make_request("x", tools=[{"type": "function", "name": "f", "parameters": {"type": "string"}}]),
        "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    (
        "parallel calls with a model that makes one at a time",
        {**make_request("x", parallel_tool_calls=True), "model": "o3"},
        "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
        "parallel_tool_calls",
        "unsupported_parameter",
    ),
    (
        "a verbosity of newer models",
        {**make_request("x", text={"verbosity": "low"}), "model": "gpt-4o"},
        "Unsupported value: 'low' is not supported with the 'gpt-4o' model. Supported values are: 'medium'.",
        "text.verbosity",
        "unsupported_value",
    ),
    (
        "a summary of a model that does not reason",
        {**make_request("x", reasoning={"summary": "auto"}), "model": "gpt-4o"},
        "Unsupported parameter: 'reasoning.summary' is not supported with this model.",
        "reasoning.summary",
        "unsupported_parameter",
    ),
    (
        "a tool of no known type",
        make_request("x", tools=[{"type": "web_search"}]),
        "Invalid value: 'web_search'. Supported values are: 'function', 'file_search', and 'code_interpreter'.",
        "tools[0].type",
        "invalid_value",
    ),
    (
        "a code interpreter without a container",
        make_request("x", tools=[{"type": "code_interpreter"}]),
        "Missing required parameter: 'tools[0].container'.",
        "tools[0].container",
        "missing_required_parameter",
    ),
    (
        "a file search without vector stores",
        make_request("x", tools=[{"type": "file_search"}]),
        "Missing required parameter: 'tools[0].vector_store_ids'.",
        "tools[0].vector_store_ids",
        "missing_required_parameter",
    ),
    (
        "a file search in no vector store",
        make_request("x", tools=[{"type": "file_search", "vector_store_ids": []}]),
        "Invalid 'tools[0].vector_store_ids': empty array. Expected an array with minimum length 1, "
        "but got an empty array instead.",
        "tools[0].vector_store_ids",
        "empty_array",
    ),
    (
        "a file search with a ranker of the legacy service",
        make_request(
            "x",
            tools=[
                {
                    "type": "file_search",
                    "vector_store_ids": ["vs_1"],
                    "ranking_options": {"ranker": "default_2024_08_21"},
                }
            ],
        ),
        "Invalid value: 'default_2024_08_21'. Supported values are: 'auto' and 'default-2024-11-15'.",
        "tools[0].ranking_options.ranker",
        "invalid_value",
    ),
    (
        "a choice of a hosted tool that is not there",
        make_request("x", tools=[WEATHER], tool_choice={"type": "file_search"}),
        "Tool choice 'file_search' not found in 'tools' parameter.",
        "tool_choice",
        None,
    ),
    (
        "Mirascope test_model_call_with_tools",
        make_request("x", tools=[_OPTIONAL]),
        "Invalid schema for function 'get_weather': In context=(), 'required' is required to be supplied and to be an "
        "array including every key in properties. Missing 'unit'.",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    (
        "dd-trace-js openai_responses_post_c4a90328",
        make_request("x", text={"format": _FORMAT}),
        "Invalid schema for response_format 'response': In context=(), 'additionalProperties' is required to be "
        "supplied and to be false.",
        "text.format.schema",
        "invalid_json_schema",
    ),
    (
        "a choice without tools",
        make_request("x", tool_choice="required"),
        "Tool choice 'required' must be specified with 'tools' parameter.",
        "tool_choice",
        None,
    ),
    (
        "a choice that is not declared",
        make_request("x", tools=[WEATHER], tool_choice={"type": "function", "name": "other"}),
        "Tool choice 'function' not found in 'tools' parameter.",
        "tool_choice",
        None,
    ),
    (
        "§6",
        make_request("x") | {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        "input[0].content[0]",
        "invalid_value",
    ),
    (
        "an item of no known type",
        make_request("x") | {"input": [{"type": "thought", "text": "x"}]},
        "Invalid value: 'thought'. Supported values are: 'message', 'function_call', 'function_call_output', "
        "'reasoning', 'file_search_call', 'code_interpreter_call', 'compaction', and 'item_reference'.",
        "input[0].type",
        "invalid_value",
    ),
    (
        "an item with a member too many",
        make_request("x") | {"input": [user("x") | {"attachments": []}]},
        "Unknown parameter: 'input[0].attachments'.",
        "input[0].attachments",
        "unknown_parameter",
    ),
    (
        "an id of another kind",
        make_request("x") | {"input": [user("x") | {"id": "fc_1"}]},
        "Invalid 'input[0].id': 'fc_1'. Expected an ID that begins with 'msg'.",
        "input[0].id",
        "invalid_value",
    ),
    (
        "A18",
        make_request("x", metadata={f"k{n}": "v" for n in range(17)}),
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object "
        "with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    ),
    (
        "A18",
        make_request("x", metadata={"k": "v" * 513}),
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with "
        "length 513 instead.",
        "metadata.k",
        "string_above_max_length",
    ),
    (
        "parameters the service knows and the simulator does not play",
        make_request("x", prompt={"id": "pmpt_1"}),
        "Unsupported parameter: 'prompt' is not supported by the simulator.",
        "prompt",
        "unsupported_parameter",
    ),
    (
        "§9",
        make_request("x", previous_response_id="resp_gone"),
        "Previous response with id 'resp_gone' not found.",
        "previous_response_id",
        "previous_response_not_found",
    ),
    (
        "Mirascope test_model_not_found, dd-trace-py response_create_error",
        {"model": "gpt-4", "input": "x"},
        "The requested model 'gpt-4' does not exist.",
        "model",
        "model_not_found",
    ),
    (
        "§13",
        {"model": "gpt-5", "input": "x", "temperature": 0.5},
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature",
        None,
    ),
    (
        "§13: effort medium is Luna's default",
        {"model": "gpt-6-luna", "input": "x", "top_p": 0.5},
        "Unsupported parameter: 'top_p' is not supported with this model.",
        "top_p",
        None,
    ),
    (
        "§13",
        {"model": "gpt-4o", "input": "x", "reasoning": {"effort": "low"}},
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        "reasoning.effort",
        "unsupported_parameter",
    ),
    (
        "Mirascope encodes-thoughts-as-text (said of o4-mini there)",
        {"model": "o3", "input": "x", "reasoning": {"effort": "minimal"}},
        "Unsupported value: 'minimal' is not supported with the 'o3' model. Supported values are: 'low', 'medium', "
        "and 'high'.",
        "reasoning.effort",
        "unsupported_value",
    ),
    (
        "an include of no known name",
        make_request("x", include=["everything"]),
        "Invalid value: 'everything'. Supported values are: 'file_search_call.results', 'web_search_call.results', "
        "'web_search_call.action.sources', 'message.input_image.image_url', 'computer_call_output.output.image_url', "
        "'code_interpreter_call.outputs', 'reasoning.encrypted_content', and 'message.output_text.logprobs'.",
        "include[0]",
        "invalid_value",
    ),
    (
        "no reasoning, nothing to encrypt",
        {"model": "gpt-4o", "input": "x", "include": ["reasoning.encrypted_content"]},
        "Encrypted content is not supported with this model.",
        "include",
        None,
    ),
    (
        "§5",
        make_request("x", text={"format": {"type": "json_object"}}),
        "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.",
        "input",
        None,
    ),
]


@pytest.mark.parametrize(("source", "body", "message", "param", "code"), REFUSED, ids=[row[0][:40] for row in REFUSED])
async def test_a_request_is_refused_in_the_services_words(
    simulator: Simulator, source: str, body: Any, message: str, param: str | None, code: str | None
) -> None:
    error = await expect_rejection(simulator, body)

    assert (error.message, error.param, error.code, error.status) == (message, param, code, 400), source
    assert error.body == {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert error.request_id == "req_1"


async def test_schema_faults_come_before_unknown_references(simulator: Simulator) -> None:
    """§15: schema, then existence, then the model."""
    body = {"model": "gpt-5", "input": "x", "previous_response_id": "resp_gone", "temperature": 3}

    first = await expect_rejection(simulator, body)
    second = await expect_rejection(simulator, {**body, "temperature": 1})

    assert (first.code, second.code) == ("decimal_above_max_value", "previous_response_not_found")


@pytest.mark.parametrize("model", ["sim-1", "gpt-6-luna", "gpt-5", "ft:gpt-4o:acme::1"])
async def test_living_and_unheard_of_models_are_accepted(simulator: Simulator, model: str) -> None:
    said = await simulator.create_response({"model": model, "input": "x"})

    assert said[0]["status"] == "completed"


async def test_a_model_dies_on_its_shutdown_date() -> None:
    late = Simulator(clock=ManualClock(1_797_000_000.0))  # 2026-12-11

    error = await expect_rejection(late, {"model": "gpt-5", "input": "x"})

    assert error.code == "model_not_found"


async def test_sampling_is_accepted_with_effort_none(simulator: Simulator) -> None:
    body = {"model": "gpt-6-luna", "input": "x", "temperature": 0.2, "reasoning": {"effort": "none"}}

    said, _ = await simulator.create_response(body)

    assert (said["temperature"], said["reasoning"]["effort"]) == (0.2, "none")


async def test_nulls_mean_not_given(simulator: Simulator) -> None:
    said, _ = await simulator.create_response(
        make_request("x", tools=None, temperature=None, metadata=None, store=None)
    )

    assert (said["tools"], said["temperature"], said["metadata"], said["store"]) == ([], 1.0, {}, True)
