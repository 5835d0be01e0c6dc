"""Field schemas that several request bodies share: metadata, tools, tool resources, message content, formats, choices.

The limits are those of the legacy service (A18, A21, A34, A36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from threadbridge.schemas import error_messages
from threadbridge.schemas.schema_types import (
    METADATA,
    AnyObject,
    Array,
    Boolean,
    Choice,
    ImageUrl,
    Integer,
    Object,
    OneOf,
    String,
    TaggedUnion,
    build_variant,
)
from threadbridge.schemas.strict_schemas import StrictObject
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

MAX_FUNCTION_NAME_CHARACTERS = 64


class _ToolSchemas(Mapping[str, Object]):
    """The schemas of tools by type, read from the registry of hosted tools at each use.

    `select` returns the schema of a hosted tool, or None for a tool without one. `functions` are the schemas of tools
    that are not hosted, which the service lists at `position` of its alphabetical list.
    """

    def __init__(
        self,
        select: Callable[[HostedTool], Object | None],
        *,
        functions: Mapping[str, Object] | None = None,
        position: int = 0,
    ) -> None:
        self._select = select
        self._functions = functions or {}
        self._position = position

    def __getitem__(self, tool_type: str) -> Object:
        if tool_type in self._functions:
            return self._functions[tool_type]
        schema = self._select(HOSTED_TOOLS[tool_type])
        if schema is None:
            raise KeyError(tool_type)
        return schema

    def __iter__(self) -> Iterator[str]:
        types = sorted(tool.type for tool in HOSTED_TOOLS.values() if self._select(tool) is not None)
        return iter([*types[: self._position], *self._functions, *types[self._position :]])

    def __len__(self) -> int:
        return sum(1 for _ in self)


_TYPE_ONLY = build_variant()

_NAME = String(MAX_FUNCTION_NAME_CHARACTERS, re.compile("[a-zA-Z0-9_-]+"))

# -- Tools (A22) ---------------------------------------------------------------------------------------------------

FUNCTION = StrictObject(
    Object(
        {"name": _NAME, "description": String(), "parameters": AnyObject(), "strict": Boolean()}, required=("name",)
    ),
    "parameters",
    error_messages.INVALID_FUNCTION_SCHEMA,
)
#: In the order in which the service lists them in its error about `retrieval`.
TOOL = TaggedUnion(
    _ToolSchemas(
        lambda tool: tool.definition,
        functions={"function": build_variant({"function": FUNCTION}, required=("function",))},
        position=1,
    )
)
ATTACHMENT_TOOL = TaggedUnion(_ToolSchemas(lambda tool: _TYPE_ONLY if tool.resource_kind is not None else None))

# -- Tool resources (A21, A28) -------------------------------------------------------------------------------------

TOOL_RESOURCES = Object(_ToolSchemas(lambda tool: tool.resources))
NEW_TOOL_RESOURCES = Object(_ToolSchemas(lambda tool: tool.new_resources or tool.resources))

# -- Messages (A34) ------------------------------------------------------------------------------------------------

_TEXT_VALUE = String(lambda limits: limits.message_characters)
_DETAIL = Choice("auto", "low", "high")
_PART = TaggedUnion(
    {
        "text": build_variant({"text": _TEXT_VALUE}, required=("text",)),
        "image_file": build_variant(
            {"image_file": Object({"file_id": String(), "detail": _DETAIL}, required=("file_id",))},
            required=("image_file",),
        ),
        "image_url": build_variant(
            {"image_url": Object({"url": ImageUrl(), "detail": _DETAIL}, required=("url",))}, required=("image_url",)
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
#: At most as many as the service accepted in one request (A29, A50).
MESSAGES = Array(MESSAGE, lambda limits: limits.messages_per_create)

# -- Response options (A23, A55) -----------------------------------------------------------------------------------

_JSON_SCHEMA = StrictObject(
    Object({"name": _NAME, "description": String(), "schema": AnyObject(), "strict": Boolean()}, required=("name",)),
    "schema",
    error_messages.INVALID_FORMAT_SCHEMA,
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
            _ToolSchemas(
                lambda _: _TYPE_ONLY,
                functions={
                    "function": build_variant(
                        {"function": Object({"name": String()}, required=("name",))}, required=("function",)
                    )
                },
            )
        ),
    },
    singular="one of an object or 'none', 'auto', or 'required'",
)
#: `last_messages` with `auto` is ignored (A79), and may be any number.
TRUNCATION = TaggedUnion(
    {
        "auto": build_variant({"last_messages": Integer()}),
        "last_messages": build_variant({"last_messages": Integer(1)}, required=("last_messages",)),
    }
)
