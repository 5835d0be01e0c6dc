"""The schemas of request bodies, one per operation (A20-A25, A28, A34, A41, A48, A54, A57, A65)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

from threadbridge.api_types import JsonMapping, JsonValue
from threadbridge.ports import ListQuery
from threadbridge.schemas.error_messages import SchemaViolation
from threadbridge.schemas.schema_types import (
    METADATA,
    Array,
    Boolean,
    Choice,
    Decimal,
    Id,
    Integer,
    Object,
    Schema,
    String,
    UnknownUnlessEmpty,
)
from threadbridge.settings import Limits
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.validation.field_schemas import (
    MESSAGE,
    MESSAGES,
    NEW_TOOL_RESOURCES,
    RESPONSE_FORMAT,
    TOOL,
    TOOL_CHOICE,
    TOOL_RESOURCES,
    TRUNCATION,
)

MAX_NAME_CHARACTERS = 256
MAX_DESCRIPTION_CHARACTERS = 512
MAX_INSTRUCTIONS_CHARACTERS = 256_000
MAX_ASSISTANT_TOOLS = 128
#: Tools in the body of a run; those that it inherits from its assistant are not counted again (A48).
MAX_RUN_TOOLS = 20
#: The schema says 256, but the service accepted 16 and named 16 as the minimum when it rejected 0 (A17, A80).
MIN_TOKEN_BUDGET = 16

_GENERATION_FIELDS: Mapping[str, Schema] = {
    "temperature": Decimal(0, 2),
    "top_p": Decimal(0, 1),
    "reasoning_effort": Choice("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": RESPONSE_FORMAT,
}

_ASSISTANT_FIELDS: Mapping[str, Schema] = {
    "model": String(),
    "name": String(MAX_NAME_CHARACTERS),
    "description": String(MAX_DESCRIPTION_CHARACTERS),
    "instructions": String(MAX_INSTRUCTIONS_CHARACTERS),
    "tools": Array(TOOL, MAX_ASSISTANT_TOOLS),
    "metadata": METADATA,
    **_GENERATION_FIELDS,
}

_RUN_FIELDS: Mapping[str, Schema] = {
    "assistant_id": Id("asst"),
    "model": String(),
    "instructions": String(MAX_INSTRUCTIONS_CHARACTERS),
    "tools": Array(TOOL, MAX_RUN_TOOLS),
    "metadata": METADATA,
    "stream": Boolean(),
    "max_prompt_tokens": Integer(MIN_TOKEN_BUDGET),
    "max_completion_tokens": Integer(MIN_TOKEN_BUDGET),
    "truncation_strategy": TRUNCATION,
    "tool_choice": TOOL_CHOICE,
    "parallel_tool_calls": Boolean(),
    **_GENERATION_FIELDS,
}

_METADATA_ONLY = Object({"metadata": METADATA})

ASSISTANT_CREATE = Object({**_ASSISTANT_FIELDS, "tool_resources": NEW_TOOL_RESOURCES}, required=("model",))
ASSISTANT_UPDATE = Object({**_ASSISTANT_FIELDS, "tool_resources": TOOL_RESOURCES})
THREAD_CREATE = Object({"messages": MESSAGES, "metadata": METADATA, "tool_resources": NEW_TOOL_RESOURCES})
THREAD_UPDATE = Object({"metadata": METADATA, "tool_resources": TOOL_RESOURCES})
MESSAGE_CREATE = MESSAGE
MESSAGE_UPDATE = _METADATA_ONLY
RUN_CREATE = Object(
    {
        **_RUN_FIELDS,
        "additional_instructions": String(MAX_INSTRUCTIONS_CHARACTERS),
        "additional_messages": MESSAGES,
        "tool_resources": UnknownUnlessEmpty(),  # Foundry's client sends an empty one with every set of tools (D116)
    },
    required=("assistant_id",),
)
RUN_UPDATE = _METADATA_ONLY
THREAD_AND_RUN_CREATE = Object(
    {**_RUN_FIELDS, "thread": THREAD_CREATE, "tool_resources": TOOL_RESOURCES}, required=("assistant_id",)
)
TOOL_OUTPUTS = Object(
    {
        # Documented as optional, but the service rejected an output without its call (A69).
        "tool_outputs": Array(Object({"tool_call_id": String(), "output": String()}, required=("tool_call_id",))),
        "stream": Boolean(),
    },
    required=("tool_outputs",),
)

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100

_LIMIT = Integer(1, MAX_PAGE_SIZE)
_ORDER = Choice("asc", "desc")
_TOOL_RESOURCES_ONLY = Object({"tool_resources": TOOL_RESOURCES})
_DEFAULT_LIMITS = Limits()


def validate_body(schema: Object, body: JsonMapping, *, limits: Limits | None = None) -> JsonValue:
    """A copy of the body without its explicit nulls (C6), if the legacy service would have accepted it.

    Its type is the body type of the operation: `CreateRunBody` for `RUN_CREATE`.

    Raises InvalidRequest with the service's text, dotted `param` and `code` (A17, A18) for the first violation.
    """
    try:
        return schema.validate(body, limits or _DEFAULT_LIMITS)
    except SchemaViolation as violation:
        raise violation.to_error() from None


def validate_file_ids(tool_type: str, file_ids: list[str]) -> list[str]:
    """The files of a thread for a hosted tool. Raises InvalidRequest for more than the tool accepts (A21)."""
    resources = {tool_type: {"file_ids": file_ids}}
    validate_body(_TOOL_RESOURCES_ONLY, {"tool_resources": resources})
    return file_ids


# -- IDs in paths, and the query parameters of lists (A11, A13, A16, A77) ------------------------------------------


class PageQuery(NamedTuple):
    """A validated page query; the arguments of `ports.Session.get_page`."""

    limit: int
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None


def validate_page(query: ListQuery) -> PageQuery:
    """The page with its defaults: 20, newest first (A11). Raises InvalidRequest with the texts of A13."""
    limit = DEFAULT_PAGE_SIZE if query.limit is None else query.limit
    order = query.order or "desc"
    _validate_param(_LIMIT, "limit", limit)
    _validate_param(_ORDER, "order", order)
    return PageQuery(limit, cast("Literal['asc', 'desc']", order), query.after or None, query.before or None)


def validate_id(param: str, prefix: str, value: str) -> None:
    """Raises InvalidRequest unless the ID starts with the prefix (A16); the rest of the ID is not validated."""
    if not value.startswith(prefix):
        _validate_param(Id(prefix), param, value)


def validate_include(include: Sequence[str]) -> None:
    """Raises InvalidRequest for anything but content that a hosted tool returns on request (A77)."""
    supported = [tool.content_include for tool in HOSTED_TOOLS.values() if tool.content_include is not None]
    for index, value in enumerate(include):
        _validate_param(Choice(*supported), f"include[{index}]", value)


def _validate_param(schema: Schema, param: str, value: object) -> None:
    try:
        schema.validate(value, _DEFAULT_LIMITS)
    except SchemaViolation as violation:
        violation.prepend_to_path(param)
        raise violation.to_error() from None
