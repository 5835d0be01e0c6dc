"""Parts that several request bodies share: metadata, tools, tool resources, message content, formats and choices.

Numbers are the legacy service's own (A18, A21, A34, A36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from threadbridge.schemas.schema_types import (
    AnyObject,
    Array,
    Boolean,
    Choice,
    Decimal,
    Integer,
    Object,
    OneOf,
    Schema,
    String,
    StringMap,
    TaggedUnion,
)
from threadbridge.settings import Limits

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY_CHARACTERS = 64
MAX_METADATA_VALUE_CHARACTERS = 512
MAX_CODE_INTERPRETER_FILES = 20
MAX_VECTOR_STORES = 1
MAX_SEARCH_RESULTS = 50
MAX_FUNCTION_NAME_CHARACTERS = 64


def _messages_per_create(limits: Limits) -> int:
    return limits.messages_per_create


def _message_characters(limits: Limits) -> int | None:
    return limits.message_characters


def build_variant(fields: Mapping[str, Schema] | None = None, *, required: tuple[str, ...] = ()) -> Object:
    """One kind of a `Tagged` object: its `type` was judged already."""
    return Object({"type": String(), **(fields or {})}, required=("type", *required))


METADATA = StringMap(MAX_METADATA_PAIRS, MAX_METADATA_KEY_CHARACTERS, String(MAX_METADATA_VALUE_CHARACTERS))

_NAME = String(MAX_FUNCTION_NAME_CHARACTERS, re.compile("[a-zA-Z0-9_-]+"))

# -- Tools (A22) ---------------------------------------------------------------------------------------------------

FUNCTION = Object(
    {"name": _NAME, "description": String(), "parameters": AnyObject(), "strict": Boolean()}, required=("name",)
)
RANKING_OPTIONS = Object(
    {
        "ranker": Choice("auto", "default_2024_08_21"),
        "score_threshold": Decimal(0, 1),
        # Not documented, but every echo of the tool has it, and clients send back what they read.
        "hybrid_search": AnyObject(),
    },
    required=("score_threshold",),
)
FILE_SEARCH = Object({"max_num_results": Integer(1, MAX_SEARCH_RESULTS), "ranking_options": RANKING_OPTIONS})

#: In the order in which the service lists them to one who asks for `retrieval`.
TOOL = TaggedUnion(
    {
        "code_interpreter": build_variant(),
        "function": build_variant({"function": FUNCTION}, required=("function",)),
        "file_search": build_variant({"file_search": FILE_SEARCH}),
    }
)
ATTACHMENT_TOOL = TaggedUnion({"code_interpreter": build_variant(), "file_search": build_variant()})

# -- Tool resources (A21, A28) -------------------------------------------------------------------------------------

_CHUNKING = TaggedUnion(
    {
        "auto": build_variant(),
        "static": build_variant(
            {
                "static": Object(
                    {"max_chunk_size_tokens": Integer(100, 4096), "chunk_overlap_tokens": Integer(0)},
                    required=("max_chunk_size_tokens", "chunk_overlap_tokens"),
                )
            },
            required=("static",),
        ),
    }
)
_NEW_VECTOR_STORE = Object({"file_ids": Array(String()), "chunking_strategy": _CHUNKING, "metadata": METADATA})
_CODE_INTERPRETER_FILES = Object({"file_ids": Array(String(), MAX_CODE_INTERPRETER_FILES)})
_VECTOR_STORE_IDS = Array(String(), MAX_VECTOR_STORES)

TOOL_RESOURCES = Object(
    {"code_interpreter": _CODE_INTERPRETER_FILES, "file_search": Object({"vector_store_ids": _VECTOR_STORE_IDS})}
)
#: At creation the vector store itself may be described in place of its id.
NEW_TOOL_RESOURCES = Object(
    {
        "code_interpreter": _CODE_INTERPRETER_FILES,
        "file_search": Object(
            {"vector_store_ids": _VECTOR_STORE_IDS, "vector_stores": Array(_NEW_VECTOR_STORE, MAX_VECTOR_STORES)},
            exclusive=("vector_store_ids", "vector_stores"),
        ),
    }
)

# -- Messages (A34) ------------------------------------------------------------------------------------------------

_TEXT_VALUE = String(_message_characters)
_DETAIL = Choice("auto", "low", "high")
_PART = TaggedUnion(
    {
        "text": build_variant({"text": _TEXT_VALUE}, required=("text",)),
        "image_file": build_variant(
            {"image_file": Object({"file_id": String(), "detail": _DETAIL}, required=("file_id",))},
            required=("image_file",),
        ),
        "image_url": build_variant(
            {"image_url": Object({"url": String(), "detail": _DETAIL}, required=("url",))}, required=("image_url",)
        ),
    }
)
_CONTENT = OneOf(
    {str: _TEXT_VALUE, list: Array(_PART, allow_empty=False)}, singular="one of a string or array of objects"
)
_ATTACHMENT = Object({"file_id": String(), "tools": Array(ATTACHMENT_TOOL)}, required=("file_id", "tools"))

MESSAGE = Object(
    {
        "role": Choice("user", "assistant"),
        "content": _CONTENT,
        "attachments": Array(_ATTACHMENT),
        "metadata": METADATA,
    },
    required=("role", "content"),
)
#: At most as many as the service took in one request (A29, A50).
MESSAGES = Array(MESSAGE, _messages_per_create)

# -- How to answer (A23, A55) --------------------------------------------------------------------------------------

_JSON_SCHEMA = Object(
    {"name": _NAME, "description": String(), "schema": AnyObject(), "strict": Boolean()}, required=("name",)
)
RESPONSE_FORMAT = OneOf(
    {
        str: Choice("auto"),
        dict: TaggedUnion(
            {
                "text": build_variant(),
                "json_object": build_variant(),
                "json_schema": build_variant({"json_schema": _JSON_SCHEMA}, required=("json_schema",)),
            }
        ),
    },
    singular="one of an object or 'auto'",
)
TOOL_CHOICE = OneOf(
    {
        str: Choice("none", "auto", "required"),
        dict: TaggedUnion(
            {
                "function": build_variant(
                    {"function": Object({"name": String()}, required=("name",))}, required=("function",)
                ),
                "code_interpreter": build_variant(),
                "file_search": build_variant(),
            }
        ),
    },
    singular="one of an object or 'none', 'auto', or 'required'",
)
#: `last_messages` beside `auto` is ignored (A79), and may be anything that is a number.
TRUNCATION = TaggedUnion(
    {
        "auto": build_variant({"last_messages": Integer()}),
        "last_messages": build_variant({"last_messages": Integer(1)}, required=("last_messages",)),
    }
)
