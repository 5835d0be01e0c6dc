"""Parts that several request bodies share: metadata, tools, tool resources, message content, formats and choices.

Numbers are the legacy service's own (A18, A21, A34, A36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from threadbridge.settings import Limits
from threadbridge.validation.schema_types import (
    Anything,
    Array,
    Boolean,
    Choice,
    Decimal,
    Either,
    Integer,
    Labels,
    Object,
    Shape,
    Tagged,
    Text,
)

METADATA_PAIRS = 16
METADATA_KEY_CHARACTERS = 64
METADATA_VALUE_CHARACTERS = 512
CODE_INTERPRETER_FILES = 20
VECTOR_STORES = 1
SEARCH_RESULTS = 50
FUNCTION_NAME_CHARACTERS = 64


def _messages_per_create(limits: Limits) -> int:
    return limits.messages_per_create


def _message_characters(limits: Limits) -> int | None:
    return limits.message_characters


def variant(fields: Mapping[str, Shape] | None = None, *, required: tuple[str, ...] = ()) -> Object:
    """One kind of a `Tagged` object: its `type` was judged already."""
    return Object({"type": Text(), **(fields or {})}, required=("type", *required))


METADATA = Labels(METADATA_PAIRS, METADATA_KEY_CHARACTERS, Text(METADATA_VALUE_CHARACTERS))

_NAME = Text(FUNCTION_NAME_CHARACTERS, re.compile("[a-zA-Z0-9_-]+"))

# -- Tools (A22) ---------------------------------------------------------------------------------------------------

FUNCTION = Object(
    {"name": _NAME, "description": Text(), "parameters": Anything(), "strict": Boolean()}, required=("name",)
)
RANKING_OPTIONS = Object(
    {
        "ranker": Choice("auto", "default_2024_08_21"),
        "score_threshold": Decimal(0, 1),
        # Not documented, but every echo of the tool has it, and clients send back what they read.
        "hybrid_search": Anything(),
    },
    required=("score_threshold",),
)
FILE_SEARCH = Object({"max_num_results": Integer(1, SEARCH_RESULTS), "ranking_options": RANKING_OPTIONS})

#: In the order in which the service lists them to one who asks for `retrieval`.
TOOL = Tagged(
    {
        "code_interpreter": variant(),
        "function": variant({"function": FUNCTION}, required=("function",)),
        "file_search": variant({"file_search": FILE_SEARCH}),
    }
)
ATTACHMENT_TOOL = Tagged({"code_interpreter": variant(), "file_search": variant()})

# -- Tool resources (A21, A28) -------------------------------------------------------------------------------------

_CHUNKING = Tagged(
    {
        "auto": variant(),
        "static": variant(
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
_NEW_VECTOR_STORE = Object({"file_ids": Array(Text()), "chunking_strategy": _CHUNKING, "metadata": METADATA})
_CODE_INTERPRETER_FILES = Object({"file_ids": Array(Text(), CODE_INTERPRETER_FILES)})
_VECTOR_STORE_IDS = Array(Text(), VECTOR_STORES)

TOOL_RESOURCES = Object(
    {"code_interpreter": _CODE_INTERPRETER_FILES, "file_search": Object({"vector_store_ids": _VECTOR_STORE_IDS})}
)
#: At creation the vector store itself may be described in place of its id.
NEW_TOOL_RESOURCES = Object(
    {
        "code_interpreter": _CODE_INTERPRETER_FILES,
        "file_search": Object(
            {"vector_store_ids": _VECTOR_STORE_IDS, "vector_stores": Array(_NEW_VECTOR_STORE, VECTOR_STORES)},
            exclusive=("vector_store_ids", "vector_stores"),
        ),
    }
)

# -- Messages (A34) ------------------------------------------------------------------------------------------------

_WORDS = Text(_message_characters)
_DETAIL = Choice("auto", "low", "high")
_PART = Tagged(
    {
        "text": variant({"text": _WORDS}, required=("text",)),
        "image_file": variant(
            {"image_file": Object({"file_id": Text(), "detail": _DETAIL}, required=("file_id",))},
            required=("image_file",),
        ),
        "image_url": variant(
            {"image_url": Object({"url": Text(), "detail": _DETAIL}, required=("url",))}, required=("image_url",)
        ),
    }
)
_CONTENT = Either({str: _WORDS, list: Array(_PART, empty=False)}, one="one of a string or array of objects")
_ATTACHMENT = Object({"file_id": Text(), "tools": Array(ATTACHMENT_TOOL)}, required=("file_id", "tools"))

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
    {"name": _NAME, "description": Text(), "schema": Anything(), "strict": Boolean()}, required=("name",)
)
RESPONSE_FORMAT = Either(
    {
        str: Choice("auto"),
        dict: Tagged(
            {
                "text": variant(),
                "json_object": variant(),
                "json_schema": variant({"json_schema": _JSON_SCHEMA}, required=("json_schema",)),
            }
        ),
    },
    one="one of an object or 'auto'",
)
TOOL_CHOICE = Either(
    {
        str: Choice("none", "auto", "required"),
        dict: Tagged(
            {
                "function": variant({"function": Object({"name": Text()}, required=("name",))}, required=("function",)),
                "code_interpreter": variant(),
                "file_search": variant(),
            }
        ),
    },
    one="one of an object or 'none', 'auto', or 'required'",
)
#: `last_messages` beside `auto` is ignored (A79), and may be anything that is a number.
TRUNCATION = Tagged(
    {
        "auto": variant({"last_messages": Integer()}),
        "last_messages": variant({"last_messages": Integer(1)}, required=("last_messages",)),
    }
)
