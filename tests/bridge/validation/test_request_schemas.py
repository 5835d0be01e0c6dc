"""What the tables of request bodies take, and what becomes of nulls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.validation.rejected_request import assistant, message
from threadbridge.schemas.schema_types import Object
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
    validate_body,
)

FUNCTION = {
    "type": "function",
    "function": {
        "name": "Plugin-function",
        "description": "looks up",
        "parameters": {
            "type": "object",
            "properties": {"day": {"type": "string", "default": None}},
            "required": ["day"],
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

    kept = validate_body(spec, body)

    assert kept == body


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

    kept = validate_body(spec, body)

    assert kept == expected


def test_nulls_within_a_json_schema_are_the_callers_own() -> None:
    body = assistant(tools=[FUNCTION])

    kept = validate_body(ASSISTANT_CREATE, body)

    assert kept["tools"][0]["function"]["parameters"] == FUNCTION["function"]["parameters"]  # type: ignore[index]


def test_the_callers_body_is_left_alone() -> None:
    body = message(metadata=None, attachments=[])

    kept = validate_body(MESSAGE_CREATE, body)
    kept["attachments"].append({})

    assert body == {"role": "user", "content": "x", "metadata": None, "attachments": []}


def test_deep_and_wide_strict_schemas_are_validated_in_little_time() -> None:
    parameters: Any = {"type": "string"}
    for _ in range(2000):
        choices: list[dict[str, Any]] = [{}] * 50
        parameters = {"items": parameters, "anyOf": choices}
    function = {"name": "f", "strict": True, "parameters": parameters}
    body = {"model": "gpt-4o", "tools": [{"type": "function", "function": function}]}

    assert validate_body(ASSISTANT_CREATE, body) == body


def test_the_number_of_messages_is_a_setting() -> None:
    body = {"messages": [message()] * 33}

    kept = validate_body(THREAD_CREATE, body, limits=Limits(messages_per_create=33))

    assert len(kept["messages"]) == 33
