"""Faults in tool resources, metadata, messages, runs and tool outputs."""

from __future__ import annotations

from tests.bridge.validation.rejected_request import RejectedRequest, assistant, message, run
from threadbridge.validation import (
    ASSISTANT_CREATE,
    MESSAGE_CREATE,
    MESSAGE_UPDATE,
    RUN_CREATE,
    RUN_UPDATE,
    THREAD_AND_RUN_CREATE,
    THREAD_CREATE,
    THREAD_UPDATE,
    TOOL_OUTPUTS,
)

THREADS: dict[str, RejectedRequest] = {
    "too many files": RejectedRequest(
        THREAD_CREATE,
        {"tool_resources": {"code_interpreter": {"file_ids": ["file-1"] * 21}}},
        "array_above_max_length",
        "tool_resources.code_interpreter.file_ids",
        "Invalid 'tool_resources.code_interpreter.file_ids': array too long. "
        "Expected an array with maximum length 20, but got an array with length 21 instead.",
    ),
    "two vector stores": RejectedRequest(
        THREAD_UPDATE,
        {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1", "vs_2"]}}},
        "array_above_max_length",
        "tool_resources.file_search.vector_store_ids",
        "Invalid 'tool_resources.file_search.vector_store_ids': array too long. "
        "Expected an array with maximum length 1, but got an array with length 2 instead.",
    ),
    "a vector store and another one to be made": RejectedRequest(
        ASSISTANT_CREATE,
        assistant(tool_resources={"file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{}]}}),
        "mutually_exclusive_parameters",
        "tool_resources.file_search",
        "Mutually exclusive parameters in 'tool_resources.file_search'. "
        "Ensure you are only providing one of: 'vector_store_ids' or 'vector_stores'.",
    ),
    "a value that is no string": RejectedRequest(
        THREAD_UPDATE,
        {"metadata": {"modified": True}},
        "invalid_type",
        "metadata.modified",
        "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
    ),
    "a null within metadata": RejectedRequest(
        THREAD_UPDATE,
        {"metadata": {"modified": None}},
        "invalid_type",
        "metadata.modified",
        "Invalid type for 'metadata.modified': expected a string, but got null instead.",
    ),
    "17 pairs": RejectedRequest(
        MESSAGE_UPDATE,
        {"metadata": {str(n): "" for n in range(17)}},
        "object_above_max_properties",
        "metadata",
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
    ),
    "a long key": RejectedRequest(
        RUN_UPDATE,
        {"metadata": {"k" * 65: ""}},
        "property_name_above_max_length",
        f"metadata.{'k' * 65}",
        f"Invalid property name in 'metadata': '{'k' * 65}' is too long. "
        "Expected a string with maximum length 64, but got a string with length 65 instead.",
    ),
    "a long value": RejectedRequest(
        THREAD_CREATE,
        {"messages": [message(), message(metadata={"a": "v" * 513})]},
        "string_above_max_length",
        "messages[1].metadata.a",
        "Invalid 'messages[1].metadata.a': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
    ),
    "33 messages": RejectedRequest(
        THREAD_CREATE,
        {"messages": [message()] * 33},
        "array_above_max_length",
        "messages",
        "Invalid 'messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "33 messages in a thread that runs at once": RejectedRequest(
        THREAD_AND_RUN_CREATE,
        run(thread={"messages": [message()] * 33}),
        "array_above_max_length",
        "thread.messages",
        "Invalid 'thread.messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "33 additional messages": RejectedRequest(
        RUN_CREATE,
        run(additional_messages=[message()] * 33),
        "array_above_max_length",
        "additional_messages",
        "Invalid 'additional_messages': array too long. Expected an array with maximum length 32, "
        "but got an array with length 33 instead.",
    ),
    "a role of other APIs": RejectedRequest(
        MESSAGE_CREATE,
        message(role="system"),
        "invalid_value",
        "role",
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
    ),
    "no role": RejectedRequest(
        MESSAGE_CREATE, {"content": "x"}, "missing_required_parameter", "role", "Missing required parameter: 'role'."
    ),
    "content that is one part": RejectedRequest(
        MESSAGE_CREATE,
        message(content={"type": "text", "text": "x"}),
        "invalid_type",
        "content",
        "Invalid type for 'content': expected one of a string or array of objects, but got an object instead.",
    ),
    "content without parts": RejectedRequest(
        MESSAGE_CREATE,
        message(content=[]),
        "empty_array",
        "content",
        "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ),
    "a part as it is read": RejectedRequest(
        MESSAGE_CREATE,
        message(content=[{"type": "text", "text": {"value": "x", "annotations": []}}]),
        "invalid_type",
        "content[0].text",
        "Invalid type for 'content[0].text': expected a string, but got an object instead.",
    ),
    "a detail nobody knows": RejectedRequest(
        MESSAGE_CREATE,
        message(content=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "big"}}]),
        "invalid_value",
        "content[0].image_url.detail",
        "Invalid value: 'big'. Supported values are: 'auto', 'low', and 'high'.",
    ),
    **{
        f"{url!r} as an image": RejectedRequest(
            THREAD_CREATE,
            {"messages": [message(content=[{"type": "image_url", "image_url": {"url": url}}])]},
            "invalid_value",
            "messages[0].content[0].image_url.url",
            "Invalid 'messages[0].content[0].image_url.url'. "
            "Expected a valid URL, but got a value with an invalid format.",
        )
        for url in ("", "not a url", "uploads/cat.png", "ftp://a.example/b.png", "https://", "http://[::1", "data:x")
    },
    "an attachment for a function": RejectedRequest(
        MESSAGE_CREATE,
        message(attachments=[{"file_id": "file-1", "tools": [{"type": "function"}]}]),
        "invalid_value",
        "attachments[0].tools[0].type",
        "Invalid value: 'function'. Supported values are: 'code_interpreter' and 'file_search'.",
    ),
    "no assistant": RejectedRequest(
        RUN_CREATE, {}, "missing_required_parameter", "assistant_id", "Missing required parameter: 'assistant_id'."
    ),
    "a thread for an assistant": RejectedRequest(
        RUN_CREATE,
        {"assistant_id": "thread_1"},
        "invalid_value",
        "assistant_id",
        "Invalid 'assistant_id': 'thread_1'. Expected an ID that begins with 'asst'.",
    ),
    "a small budget": RejectedRequest(
        RUN_CREATE,
        run(max_prompt_tokens=0),
        "integer_below_min_value",
        "max_prompt_tokens",
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 16, but got 0 instead.",
    ),
    "a broken budget": RejectedRequest(
        RUN_CREATE,
        run(max_completion_tokens=300.5),
        "invalid_type",
        "max_completion_tokens",
        "Invalid type for 'max_completion_tokens': expected an integer, but got a decimal number instead.",
    ),
    "the last messages, but not how many": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy={"type": "last_messages"}),
        "missing_required_parameter",
        "truncation_strategy.last_messages",
        "Missing required parameter: 'truncation_strategy.last_messages'.",
    ),
    "the last no messages": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy={"type": "last_messages", "last_messages": 0}),
        "integer_below_min_value",
        "truncation_strategy.last_messages",
        "Invalid 'truncation_strategy.last_messages': integer below minimum value. "
        "Expected a value >= 1, but got 0 instead.",
    ),
    "the last messages in words": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy={"type": "last_messages", "last_messages": "two"}),
        "invalid_type",
        "truncation_strategy.last_messages",
        "Invalid type for 'truncation_strategy.last_messages': expected an integer, but got a string instead.",
    ),
    "a strategy nobody knows": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy={"type": "middle"}),
        "invalid_value",
        "truncation_strategy.type",
        "Invalid value: 'middle'. Supported values are: 'auto' and 'last_messages'.",
    ),
    "a strategy without a type": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy={"last_messages": 2}),
        "missing_required_parameter",
        "truncation_strategy.type",
        "Missing required parameter: 'truncation_strategy.type'.",
    ),
    "a strategy in one word": RejectedRequest(
        RUN_CREATE,
        run(truncation_strategy="auto"),
        "invalid_type",
        "truncation_strategy",
        "Invalid type for 'truncation_strategy': expected an object, but got a string instead.",
    ),
    "a choice in numbers": RejectedRequest(
        RUN_CREATE,
        run(tool_choice=1),
        "invalid_type",
        "tool_choice",
        "Invalid type for 'tool_choice': expected one of an object or 'none', 'auto', or 'required', "
        "but got an integer instead.",
    ),
    "a choice nobody knows": RejectedRequest(
        RUN_CREATE,
        run(tool_choice="any"),
        "invalid_value",
        "tool_choice",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    "a format nobody knows": RejectedRequest(
        RUN_CREATE,
        run(response_format="json"),
        "invalid_value",
        "response_format",
        "Invalid value: 'json'. Supported values are: 'auto'.",
    ),
    "a schema without a name": RejectedRequest(
        RUN_CREATE,
        run(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "missing_required_parameter",
        "response_format.json_schema.name",
        "Missing required parameter: 'response_format.json_schema.name'.",
    ),
    "a stream in words": RejectedRequest(
        RUN_CREATE,
        run(stream="true"),
        "invalid_type",
        "stream",
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
    ),
    "no outputs": RejectedRequest(
        TOOL_OUTPUTS, {}, "missing_required_parameter", "tool_outputs", "Missing required parameter: 'tool_outputs'."
    ),
    "an output without its call": RejectedRequest(
        TOOL_OUTPUTS,
        {"tool_outputs": [{"output": "x"}]},
        "missing_required_parameter",
        "tool_outputs[0].tool_call_id",
        "Missing required parameter: 'tool_outputs[0].tool_call_id'.",
    ),
    "an output that is no string": RejectedRequest(
        TOOL_OUTPUTS,
        {"tool_outputs": [{"tool_call_id": "call_1", "output": {"a": 1}}]},
        "invalid_type",
        "tool_outputs[0].output",
        "Invalid type for 'tool_outputs[0].output': expected a string, but got an object instead.",
    ),
}
