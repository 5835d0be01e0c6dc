"""Faults in assistants, their tools and how they answer."""

from __future__ import annotations

from typing import Any

from tests.bridge.validation.rejected_request import RejectedRequest, assistant, message, run
from threadbridge.validation import ASSISTANT_CREATE, ASSISTANT_UPDATE, RUN_CREATE, THREAD_CREATE, THREAD_UPDATE

#: An object schema that strict mode allows if every property is required.
CLOSED: dict[str, Any] = {"type": "object", "additionalProperties": False}


def strict_function(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "strict": True, "parameters": parameters}}


ASSISTANTS: dict[str, RejectedRequest] = {
    "no model": RejectedRequest(
        ASSISTANT_CREATE, {}, "missing_required_parameter", "model", "Missing required parameter: 'model'."
    ),
    "null for what is required": RejectedRequest(
        ASSISTANT_CREATE,
        {"model": None},
        "invalid_type",
        "model",
        "Invalid type for 'model': expected a string, but got null instead.",
    ),
    "files of the first version": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(file_ids=["file-1"]),
        "unknown_parameter",
        "file_ids",
        "Unknown parameter: 'file_ids'.",
    ),
    "files of the first version in a message": RejectedRequest(
        THREAD_CREATE,
        {"messages": [message(file_ids=["file-1"])]},
        "unknown_parameter",
        "messages[0].file_ids",
        "Unknown parameter: 'messages[0].file_ids'.",
    ),
    "a message sent to the thread": RejectedRequest(
        THREAD_UPDATE, message(), "unknown_parameter", "role", "Unknown parameter: 'role'."
    ),
    "the tool of the first version": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "retrieval"}]),
        "invalid_value",
        "tools[0].type",
        "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', and 'file_search'.",
    ),
    "a tool without a type": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "code_interpreter"}, {"function": {"name": "f"}}]),
        "missing_required_parameter",
        "tools[1].type",
        "Missing required parameter: 'tools[1].type'.",
    ),
    "a tool with no type at all": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": None}]),
        "invalid_type",
        "tools[0].type",
        "Invalid type for 'tools[0].type': expected one of 'code_interpreter', 'function', or 'file_search', "
        "but got null instead.",
    ),
    "a function without a name": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {}}]),
        "missing_required_parameter",
        "tools[0].function.name",
        "Missing required parameter: 'tools[0].function.name'.",
    ),
    "a function with a dotted name": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {"name": "a.b"}}]),
        "invalid_value",
        "tools[0].function.name",
        "Invalid 'tools[0].function.name': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
    ),
    "parameters that are a list": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        "invalid_type",
        "tools[0].function.parameters",
        "Invalid type for 'tools[0].function.parameters': expected an object, but got an array instead.",
    ),
    "a strict function whose parameters may be others": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[strict_function({"type": "object", "properties": {"a": {"type": "string"}}})]),
        "invalid_function_parameters",
        "tools[0].function.parameters",
        "Invalid schema for function 'f': "
        "In context=(), 'additionalProperties' is required to be supplied and to be false.",
    ),
    "a strict function with an optional nested parameter": RejectedRequest(
        RUN_CREATE,
        run(tools=[strict_function({**CLOSED, "properties": {"a": {"items": {**CLOSED, "properties": {"b": {}}}}}})]),
        "invalid_function_parameters",
        "tools[0].function.parameters",
        "Invalid schema for function 'f': In context=(), 'required' is required to be supplied and to be an array "
        "including every key in properties. Missing 'a'.",
    ),
    "a strict response format with a nested object that may have other keys": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(
            response_format={
                "type": "json_schema",
                "json_schema": {
                    "name": "city",
                    "strict": True,
                    "schema": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "object"}]}},
                },
            }
        ),
        None,
        "response_format.json_schema.schema",
        "Invalid schema for response_format 'city': In context=('items', 'anyOf', 1), "
        "'additionalProperties' is required to be supplied and to be false.",
    ),
    "tools that are none": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools="none"),
        "invalid_type",
        "tools",
        "Invalid type for 'tools': expected an array of objects, but got a string instead.",
    ),
    "129 tools": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tools=[{"type": "code_interpreter"}] * 129),
        "array_above_max_length",
        "tools",
        "Invalid 'tools': array too long. Expected an array with maximum length 128, "
        "but got an array with length 129 instead.",
    ),
    "21 tools of a run's own": RejectedRequest(
        RUN_CREATE,
        run(tools=[{"type": "code_interpreter"}] * 21),
        "array_above_max_length",
        "tools",
        "Invalid 'tools': array too long. Expected an array with maximum length 20, "
        "but got an array with length 21 instead.",
    ),
    "a long name": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(name="n" * 257),
        "string_above_max_length",
        "name",
        "Invalid 'name': string too long. Expected a string with maximum length 256, "
        "but got a string with length 257 instead.",
    ),
    "a long description": RejectedRequest(
        ASSISTANT_UPDATE,
        {"description": "d" * 513},
        "string_above_max_length",
        "description",
        "Invalid 'description': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
    ),
    "long instructions": RejectedRequest(
        ASSISTANT_UPDATE,
        {"instructions": "i" * 256_001},
        "string_above_max_length",
        "instructions",
        "Invalid 'instructions': string too long. Expected a string with maximum length 256000, "
        "but got a string with length 256001 instead.",
    ),
    "a negative temperature": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(temperature=-1),
        "decimal_below_min_value",
        "temperature",
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
    ),
    "too much top_p": RejectedRequest(
        RUN_CREATE,
        run(top_p=1.5),
        "decimal_above_max_value",
        "top_p",
        "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
    ),
    "a temperature in words": RejectedRequest(
        RUN_CREATE,
        run(temperature="0.8"),
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    ),
    "true for a temperature": RejectedRequest(
        RUN_CREATE,
        run(temperature=True),
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a boolean instead.",
    ),
    "an effort nobody knows": RejectedRequest(
        RUN_CREATE,
        run(reasoning_effort=""),
        "invalid_value",
        "reasoning_effort",
        "Invalid value: ''. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.",
    ),
}
