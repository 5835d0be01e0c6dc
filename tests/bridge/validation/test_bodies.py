"""The tables of request bodies: what is taken, what is refused, and in which words."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from threadbridge.errors import InvalidRequest
from threadbridge.settings import Limits
from threadbridge.validation import (
    ASSISTANT_CREATE,
    ASSISTANT_UPDATE,
    MESSAGE_CREATE,
    MESSAGE_UPDATE,
    RUN_CREATE,
    RUN_UPDATE,
    THREAD_AND_RUN_CREATE,
    THREAD_CREATE,
    THREAD_UPDATE,
    TOOL_OUTPUTS,
    checked,
)
from threadbridge.validation.shapes import Object

FUNCTION = {
    "type": "function",
    "function": {
        "name": "Plugin-function",
        "description": "looks up",
        "parameters": {
            "type": "object",
            "properties": {"day": {"type": "string", "default": None}},
            "additionalProperties": False,
            "$defs": {"a": {"b": [None]}},
        },
        "strict": True,
    },
}

TAKEN: dict[str, tuple[Object, dict[str, Any]]] = {
    "an assistant with everything": (
        ASSISTANT_CREATE,
        {
            "model": "gpt-4o",
            "name": "n" * 256,
            "description": "d" * 512,
            "instructions": "i" * 256_000,
            "tools": [FUNCTION, {"type": "code_interpreter"}, {"type": "file_search"}],
            "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
            "metadata": {"k" * 64: "v" * 512},
            "temperature": 2,
            "top_p": 0.0,
            "reasoning_effort": "medium",
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": False},
            },
        },
    ),
    "an assistant with a vector store to be made": (
        ASSISTANT_CREATE,
        {
            "model": "gpt-4o",
            "tool_resources": {
                "file_search": {
                    "vector_stores": [
                        {
                            "file_ids": ["file-1"],
                            "metadata": {"a": "b"},
                            "chunking_strategy": {
                                "type": "static",
                                "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
                            },
                        }
                    ]
                }
            },
        },
    ),
    "a search tool with options": (
        ASSISTANT_UPDATE,
        {
            "tools": [
                {
                    "type": "file_search",
                    "file_search": {
                        "max_num_results": 50,
                        "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.5},
                    },
                }
            ]
        },
    ),
    "a thread with parts and attachments": (
        THREAD_CREATE,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": ""},
                        {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    ],
                    "attachments": [
                        {"file_id": "file-1", "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}
                    ],
                },
                {"role": "assistant", "content": "hello", "metadata": {}},
            ],
            "metadata": {},
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        },
    ),
    "a message": (MESSAGE_CREATE, {"role": "user", "content": "x" * 300_000}),
    "a run with everything": (
        RUN_CREATE,
        {
            "assistant_id": "asst_of-another_alphabet",
            "model": "gpt-4o",
            "instructions": "i",
            "additional_instructions": "a",
            "additional_messages": [{"role": "user", "content": "x"}],
            "tools": [],
            "metadata": {"a": "b"},
            "temperature": 1,
            "top_p": 1,
            "stream": True,
            "max_prompt_tokens": 16,
            "max_completion_tokens": 256,
            "truncation_strategy": {"type": "last_messages", "last_messages": 1},
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
            "response_format": "auto",
            "reasoning_effort": "low",
        },
    ),
    "a thread and its run": (
        THREAD_AND_RUN_CREATE,
        {
            "assistant_id": "asst_1",
            "thread": {"messages": [{"role": "user", "content": "x"}]},
            "tool_resources": {"code_interpreter": {"file_ids": []}},
            "tool_choice": "required",
            "truncation_strategy": {"type": "auto"},
            "stream": False,
        },
    ),
    "outputs in any number": (
        TOOL_OUTPUTS,
        {"tool_outputs": [{"tool_call_id": "call_1", "output": ""}], "stream": True},
    ),
    "no outputs at all": (TOOL_OUTPUTS, {"tool_outputs": []}),
    "metadata of a message": (MESSAGE_UPDATE, {"metadata": {"a": ""}}),
    "metadata of a run": (RUN_UPDATE, {"metadata": {}}),
    "nothing to update": (THREAD_UPDATE, {}),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_service_documents_is_taken_unchanged(case: str) -> None:
    spec, body = TAKEN[case]

    kept = checked(spec, body)

    assert kept == body


class Refused(NamedTuple):
    spec: Object
    body: dict[str, Any]
    code: str
    param: str | None
    message: str


def assistant(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", **fields}


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": "x", **fields}


def run(**fields: Any) -> dict[str, Any]:
    return {"assistant_id": "asst_1", **fields}


REFUSED: dict[str, Refused] = {
    "no model": Refused(
        ASSISTANT_CREATE, {}, "missing_required_parameter", "model", "Missing required parameter: 'model'."
    ),
    "null for what is required": Refused(
        ASSISTANT_CREATE,
        {"model": None},
        "invalid_type",
        "model",
        "Invalid type for 'model': expected a string, but got null instead.",
    ),
    "files of the first version": Refused(
        ASSISTANT_CREATE,
        assistant(file_ids=["file-1"]),
        "unknown_parameter",
        "file_ids",
        "Unknown parameter: 'file_ids'.",
    ),
    "files of the first version in a message": Refused(
        THREAD_CREATE,
        {"messages": [message(file_ids=["file-1"])]},
        "unknown_parameter",
        "messages[0].file_ids",
        "Unknown parameter: 'messages[0].file_ids'.",
    ),
    "a message sent to the thread": Refused(
        THREAD_UPDATE, message(), "unknown_parameter", "role", "Unknown parameter: 'role'."
    ),
    "the tool of the first version": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "retrieval"}]),
        "invalid_value",
        "tools[0].type",
        "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', and 'file_search'.",
    ),
    "a tool without a type": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "code_interpreter"}, {"function": {"name": "f"}}]),
        "missing_required_parameter",
        "tools[1].type",
        "Missing required parameter: 'tools[1].type'.",
    ),
    "a tool with no type at all": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": None}]),
        "invalid_type",
        "tools[0].type",
        "Invalid type for 'tools[0].type': expected one of 'code_interpreter', 'function', or 'file_search', "
        "but got null instead.",
    ),
    "a function without a name": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {}}]),
        "missing_required_parameter",
        "tools[0].function.name",
        "Missing required parameter: 'tools[0].function.name'.",
    ),
    "a function with a dotted name": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {"name": "a.b"}}]),
        "invalid_value",
        "tools[0].function.name",
        "Invalid 'tools[0].function.name': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
    ),
    "parameters that are a list": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        "invalid_type",
        "tools[0].function.parameters",
        "Invalid type for 'tools[0].function.parameters': expected an object, but got an array instead.",
    ),
    "tools that are none": Refused(
        ASSISTANT_CREATE,
        assistant(tools="none"),
        "invalid_type",
        "tools",
        "Invalid type for 'tools': expected an array of objects, but got a string instead.",
    ),
    "129 tools": Refused(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "code_interpreter"}] * 129),
        "array_above_max_length",
        "tools",
        "Invalid 'tools': array too long. Expected an array with maximum length 128, "
        "but got an array with length 129 instead.",
    ),
    "21 tools of a run's own": Refused(
        RUN_CREATE,
        run(tools=[{"type": "code_interpreter"}] * 21),
        "array_above_max_length",
        "tools",
        "Invalid 'tools': array too long. Expected an array with maximum length 20, "
        "but got an array with length 21 instead.",
    ),
    "a long name": Refused(
        ASSISTANT_CREATE,
        assistant(name="n" * 257),
        "string_above_max_length",
        "name",
        "Invalid 'name': string too long. Expected a string with maximum length 256, "
        "but got a string with length 257 instead.",
    ),
    "a long description": Refused(
        ASSISTANT_UPDATE,
        {"description": "d" * 513},
        "string_above_max_length",
        "description",
        "Invalid 'description': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
    ),
    "long instructions": Refused(
        ASSISTANT_UPDATE,
        {"instructions": "i" * 256_001},
        "string_above_max_length",
        "instructions",
        "Invalid 'instructions': string too long. Expected a string with maximum length 256000, "
        "but got a string with length 256001 instead.",
    ),
    "a negative temperature": Refused(
        ASSISTANT_CREATE,
        assistant(temperature=-1),
        "decimal_below_min_value",
        "temperature",
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
    ),
    "too much top_p": Refused(
        RUN_CREATE,
        run(top_p=1.5),
        "decimal_above_max_value",
        "top_p",
        "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
    ),
    "a temperature in words": Refused(
        RUN_CREATE,
        run(temperature="0.8"),
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    ),
    "true for a temperature": Refused(
        RUN_CREATE,
        run(temperature=True),
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a boolean instead.",
    ),
    "an effort nobody knows": Refused(
        RUN_CREATE,
        run(reasoning_effort=""),
        "invalid_value",
        "reasoning_effort",
        "Invalid value: ''. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.",
    ),
    "too many files": Refused(
        THREAD_CREATE,
        {"tool_resources": {"code_interpreter": {"file_ids": ["file-1"] * 21}}},
        "array_above_max_length",
        "tool_resources.code_interpreter.file_ids",
        "Invalid 'tool_resources.code_interpreter.file_ids': array too long. "
        "Expected an array with maximum length 20, but got an array with length 21 instead.",
    ),
    "two vector stores": Refused(
        THREAD_UPDATE,
        {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1", "vs_2"]}}},
        "array_above_max_length",
        "tool_resources.file_search.vector_store_ids",
        "Invalid 'tool_resources.file_search.vector_store_ids': array too long. "
        "Expected an array with maximum length 1, but got an array with length 2 instead.",
    ),
    "a vector store and another one to be made": Refused(
        ASSISTANT_CREATE,
        assistant(tool_resources={"file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{}]}}),
        "mutually_exclusive_parameters",
        "tool_resources.file_search",
        "Mutually exclusive parameters in 'tool_resources.file_search'. "
        "Ensure you are only providing one of: 'vector_store_ids' or 'vector_stores'.",
    ),
    "a value that is no string": Refused(
        THREAD_UPDATE,
        {"metadata": {"modified": True}},
        "invalid_type",
        "metadata.modified",
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
    ),
    "a null within metadata": Refused(
        THREAD_UPDATE,
        {"metadata": {"modified": None}},
        "invalid_type",
        "metadata.modified",
        "Invalid type for 'metadata.modified': expected a string, but got null instead.",
    ),
    "17 pairs": Refused(
        MESSAGE_UPDATE,
        {"metadata": {str(n): "" for n in range(17)}},
        "object_above_max_properties",
        "metadata",
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
    ),
    "a long key": Refused(
        RUN_UPDATE,
        {"metadata": {"k" * 65: ""}},
        "property_name_above_max_length",
        f"metadata.{'k' * 65}",
        f"Invalid property name in 'metadata': '{'k' * 65}' is too long. "
        "Expected a string with maximum length 64, but got a string with length 65 instead.",
    ),
    "a long value": Refused(
        THREAD_CREATE,
        {"messages": [message(), message(metadata={"a": "v" * 513})]},
        "string_above_max_length",
        "messages[1].metadata.a",
        "Invalid 'messages[1].metadata.a': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
    ),
    "33 messages": Refused(
        THREAD_CREATE,
        {"messages": [message()] * 33},
        "array_above_max_length",
        "messages",
        "Invalid 'messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "33 messages in a thread that runs at once": Refused(
        THREAD_AND_RUN_CREATE,
        run(thread={"messages": [message()] * 33}),
        "array_above_max_length",
        "thread.messages",
        "Invalid 'thread.messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "33 additional messages": Refused(
        RUN_CREATE,
        run(additional_messages=[message()] * 33),
        "array_above_max_length",
        "additional_messages",
        "Invalid 'additional_messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "a role of other APIs": Refused(
        MESSAGE_CREATE,
        message(role="system"),
        "invalid_value",
        "role",
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
    ),
    "no role": Refused(
        MESSAGE_CREATE, {"content": "x"}, "missing_required_parameter", "role", "Missing required parameter: 'role'."
    ),
    "content that is one part": Refused(
        MESSAGE_CREATE,
        message(content={"type": "text", "text": "x"}),
        "invalid_type",
        "content",
        "Invalid type for 'content': expected one of a string or array of objects, but got an object instead.",
    ),
    "content without parts": Refused(
        MESSAGE_CREATE,
        message(content=[]),
        "empty_array",
        "content",
        "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ),
    "a part as it is read": Refused(
        MESSAGE_CREATE,
        message(content=[{"type": "text", "text": {"value": "x", "annotations": []}}]),
        "invalid_type",
        "content[0].text",
        "Invalid type for 'content[0].text': expected a string, but got an object instead.",
    ),
    "a detail nobody knows": Refused(
        MESSAGE_CREATE,
        message(content=[{"type": "image_url", "image_url": {"url": "u", "detail": "big"}}]),
        "invalid_value",
        "content[0].image_url.detail",
        "Invalid value: 'big'. Supported values are: 'auto', 'low', and 'high'.",
    ),
    "an attachment for a function": Refused(
        MESSAGE_CREATE,
        message(attachments=[{"file_id": "file-1", "tools": [{"type": "function"}]}]),
        "invalid_value",
        "attachments[0].tools[0].type",
        "Invalid value: 'function'. Supported values are: 'code_interpreter' and 'file_search'.",
    ),
    "no assistant": Refused(
        RUN_CREATE, {}, "missing_required_parameter", "assistant_id", "Missing required parameter: 'assistant_id'."
    ),
    "a thread for an assistant": Refused(
        RUN_CREATE,
        {"assistant_id": "thread_1"},
        "invalid_value",
        "assistant_id",
        "Invalid 'assistant_id': 'thread_1'. Expected an ID that begins with 'asst'.",
    ),
    "a small budget": Refused(
        RUN_CREATE,
        run(max_prompt_tokens=0),
        "integer_below_min_value",
        "max_prompt_tokens",
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 16, but got 0 instead.",
    ),
    "a broken budget": Refused(
        RUN_CREATE,
        run(max_completion_tokens=300.5),
        "invalid_type",
        "max_completion_tokens",
        "Invalid type for 'max_completion_tokens': expected an integer, but got a decimal number instead.",
    ),
    "the last messages, but not how many": Refused(
        RUN_CREATE,
        run(truncation_strategy={"type": "last_messages"}),
        "missing_required_parameter",
        "truncation_strategy.last_messages",
        "Missing required parameter: 'truncation_strategy.last_messages'.",
    ),
    "the last no messages": Refused(
        RUN_CREATE,
        run(truncation_strategy={"type": "last_messages", "last_messages": 0}),
        "integer_below_min_value",
        "truncation_strategy.last_messages",
        "Invalid 'truncation_strategy.last_messages': integer below minimum value. "
        "Expected a value >= 1, but got 0 instead.",
    ),
    "a choice in numbers": Refused(
        RUN_CREATE,
        run(tool_choice=1),
        "invalid_type",
        "tool_choice",
        "Invalid type for 'tool_choice': expected one of an object or 'none', 'auto', or 'required', "
        "but got an integer instead.",
    ),
    "a choice nobody knows": Refused(
        RUN_CREATE,
        run(tool_choice="any"),
        "invalid_value",
        "tool_choice",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    "a format nobody knows": Refused(
        RUN_CREATE,
        run(response_format="json"),
        "invalid_value",
        "response_format",
        "Invalid value: 'json'. Supported values are: 'auto'.",
    ),
    "a schema without a name": Refused(
        RUN_CREATE,
        run(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "missing_required_parameter",
        "response_format.json_schema.name",
        "Missing required parameter: 'response_format.json_schema.name'.",
    ),
    "a stream in words": Refused(
        RUN_CREATE,
        run(stream="true"),
        "invalid_type",
        "stream",
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
    ),
    "no outputs": Refused(
        TOOL_OUTPUTS, {}, "missing_required_parameter", "tool_outputs", "Missing required parameter: 'tool_outputs'."
    ),
    "an output without its call": Refused(
        TOOL_OUTPUTS,
        {"tool_outputs": [{"output": "x"}]},
        "missing_required_parameter",
        "tool_outputs[0].tool_call_id",
        "Missing required parameter: 'tool_outputs[0].tool_call_id'.",
    ),
    "an output that is no string": Refused(
        TOOL_OUTPUTS,
        {"tool_outputs": [{"tool_call_id": "call_1", "output": {"a": 1}}]},
        "invalid_type",
        "tool_outputs[0].output",
        "Invalid type for 'tool_outputs[0].output': expected a string, but got an object instead.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refused_is_refused_in_its_words(case: str) -> None:
    refused = REFUSED[case]

    with pytest.raises(InvalidRequest) as caught:
        checked(refused.spec, refused.body)

    assert caught.value.message == refused.message
    assert (caught.value.code, caught.value.param) == (refused.code, refused.param)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")


NULLS: dict[str, tuple[Object, dict[str, Any], dict[str, Any]]] = {
    "of an assistant": (
        ASSISTANT_CREATE,
        {
            "model": "gpt-4o",
            "name": None,
            "description": None,
            "tool_resources": None,
            "reasoning_effort": None,
            "temperature": None,
            "top_p": None,
            "metadata": None,
        },
        {"model": "gpt-4o"},
    ),
    "of a thread": (THREAD_CREATE, {"messages": None, "metadata": None, "tool_resources": None}, {}),
    "within tool resources": (
        THREAD_UPDATE,
        {"tool_resources": {"file_search": None, "code_interpreter": {"file_ids": []}}},
        {"tool_resources": {"code_interpreter": {"file_ids": []}}},
    ),
    "of a message": (
        MESSAGE_CREATE,
        {"role": "user", "content": "x", "attachments": None, "metadata": None},
        {"role": "user", "content": "x"},
    ),
    "of a run": (
        RUN_CREATE,
        {
            "assistant_id": "asst_1",
            "instructions": None,
            "additional_instructions": None,
            "model": None,
            "tools": None,
            "tool_choice": None,
            "temperature": None,
            "response_format": None,
            "truncation_strategy": None,
            "max_prompt_tokens": None,
            "max_completion_tokens": None,
        },
        {"assistant_id": "asst_1"},
    ),
    "of a strategy": (
        RUN_CREATE,
        {"assistant_id": "asst_1", "truncation_strategy": {"type": "auto", "last_messages": None}},
        {"assistant_id": "asst_1", "truncation_strategy": {"type": "auto"}},
    ),
    "of an output": (
        TOOL_OUTPUTS,
        {"tool_outputs": [{"tool_call_id": "call_1", "output": None}], "stream": None},
        {"tool_outputs": [{"tool_call_id": "call_1"}]},
    ),
    "of a tool that was read and is sent back": (
        ASSISTANT_UPDATE,
        {
            "tools": [
                {
                    "type": "file_search",
                    "file_search": {
                        "ranking_options": {
                            "ranker": "default_2024_08_21",
                            "score_threshold": 0.0,
                            "hybrid_search": None,
                        }
                    },
                }
            ]
        },
        {
            "tools": [
                {
                    "type": "file_search",
                    "file_search": {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0}},
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("case", NULLS)
def test_explicit_nulls_mean_not_given(case: str) -> None:
    spec, body, expected = NULLS[case]

    kept = checked(spec, body)

    assert kept == expected


def test_nulls_within_a_json_schema_are_the_callers_own() -> None:
    body = assistant(tools=[FUNCTION])

    kept = checked(ASSISTANT_CREATE, body)

    assert kept["tools"][0]["function"]["parameters"] == FUNCTION["function"]["parameters"]  # type: ignore[index]


def test_the_callers_body_is_left_alone() -> None:
    body = message(metadata=None, attachments=[])

    kept = checked(MESSAGE_CREATE, body)
    kept["attachments"].append({})

    assert body == {"role": "user", "content": "x", "metadata": None, "attachments": []}


def test_the_number_of_messages_is_a_setting() -> None:
    body = {"messages": [message()] * 33}

    kept = checked(THREAD_CREATE, body, limits=Limits(messages_per_create=33))

    assert len(kept["messages"]) == 33


def test_a_refusal_does_not_repeat_all_of_a_long_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked(MESSAGE_CREATE, message(role="x" * 100_000))

    assert len(caught.value.message) < 400


def test_braces_in_a_value_are_only_characters() -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked(MESSAGE_CREATE, message(role="{path}{0}"))

    assert caught.value.message == "Invalid value: '{path}{0}'. Supported values are: 'user' and 'assistant'."
