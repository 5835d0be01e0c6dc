"""Schemas of input items, one row per type: members and required members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._validators import Validator

_STATUS = validators.one_of("in_progress", "completed", "incomplete")
_CALL_STATUS = validators.one_of("in_progress", "searching", "interpreting", "completed", "incomplete", "failed")
_TEXT = validators.string()


class ItemRule(NamedTuple):
    """The members of one item or content part."""

    allowed: Mapping[str, Validator]
    required: tuple[str, ...]


_CACHE_BREAKPOINT = {"prompt_cache_breakpoint": validators.json_object}
_IMAGE: dict[str, Validator] = {
    "type": _TEXT,
    "image_url": _TEXT,
    "file_id": _TEXT,
    "detail": validators.one_of("low", "high", "auto", "original"),
    **_CACHE_BREAKPOINT,
}
_FILE: dict[str, Validator] = {
    "type": _TEXT,
    "file_id": _TEXT,
    "file_data": _TEXT,
    "file_url": _TEXT,
    "filename": _TEXT,
    "detail": _TEXT,
    **_CACHE_BREAKPOINT,
}
#: Content parts of user, system and developer messages, and of function call outputs.
INPUT_PARTS: dict[str, ItemRule] = {
    "input_text": ItemRule({"type": _TEXT, "text": _TEXT, **_CACHE_BREAKPOINT}, ("type", "text")),
    "input_image": ItemRule(_IMAGE, ("type",)),
    "input_file": ItemRule(_FILE, ("type",)),
}
#: Content parts of assistant messages (§6, observed: nothing else is accepted).
OUTPUT_PARTS: dict[str, ItemRule] = {
    "output_text": ItemRule(
        {"type": _TEXT, "text": _TEXT, "annotations": validators.anything, "logprobs": validators.anything},
        ("type", "text"),
    ),
    "refusal": ItemRule({"type": _TEXT, "refusal": _TEXT}, ("type", "refusal")),
}
_SUMMARY_PARTS = {"summary_text": ItemRule({"type": _TEXT, "text": _TEXT}, ("type", "text"))}
_REASONING_PARTS = {"reasoning_text": ItemRule({"type": _TEXT, "text": _TEXT}, ("type", "text"))}


def _check_message_content(path: str, value: Any, parts: Mapping[str, ItemRule]) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise errors.invalid_type(path, "one of a string or array of objects", value)
    _check_parts(path, value, parts)


def _check_parts(path: str, values: Sequence[Any], parts: Mapping[str, ItemRule]) -> None:
    for index, part in enumerate(values):
        where = f"{path}[{index}]"
        kind = validators.require_object(where, part).get("type")
        if kind is None:
            raise errors.missing_parameter(f"{where}.type")
        rule = parts.get(kind)
        if rule is None:
            raise errors.invalid_value(where, kind, tuple(parts))
        validators.check_members(where, part, rule.allowed, required=rule.required)


def _make_parts_validator(parts: Mapping[str, ItemRule]) -> Validator:
    def check(path: str, value: Any) -> None:
        _check_parts(path, validators.require_array(path, value), parts)

    return check


def _make_content_validator(parts: Mapping[str, ItemRule]) -> Validator:
    def check(path: str, value: Any) -> None:
        _check_message_content(path, value, parts)

    return check


_ROLES = ("assistant", "system", "developer", "user")
_MESSAGE: dict[str, Validator] = {
    "type": _TEXT,
    "id": validators.identifier("msg"),
    "role": validators.one_of(*_ROLES),
    "status": _STATUS,
    "content": _make_content_validator(INPUT_PARTS),
}
_ASSISTANT_MESSAGE: dict[str, Validator] = {
    **_MESSAGE,
    "content": _make_content_validator(OUTPUT_PARTS),
    "phase": validators.one_of("commentary", "final_answer"),
}
_INPUT_MESSAGE_RULE = ItemRule(_MESSAGE, ("role", "content"))
_ASSISTANT_MESSAGE_RULE = ItemRule(_ASSISTANT_MESSAGE, ("role", "content"))

#: All other item types that the simulator supports.
ITEMS: dict[str, ItemRule] = {
    "function_call": ItemRule(
        {
            "type": _TEXT,
            "id": validators.identifier("fc"),
            "call_id": validators.string(max_length=64),
            "name": validators.string(max_length=128),
            "arguments": _TEXT,
            "status": _STATUS,
        },
        ("call_id", "name", "arguments"),
    ),
    "function_call_output": ItemRule(
        {
            "type": _TEXT,
            "id": validators.identifier("fc"),
            "call_id": validators.string(max_length=64),
            "output": _make_content_validator(INPUT_PARTS),
            "status": _STATUS,
        },
        ("call_id", "output"),
    ),
    "reasoning": ItemRule(
        {
            "type": _TEXT,
            "id": validators.identifier("rs"),
            "summary": _make_parts_validator(_SUMMARY_PARTS),
            "content": _make_parts_validator(_REASONING_PARTS),
            "encrypted_content": _TEXT,
            "status": _STATUS,
        },
        ("summary",),
    ),
    "file_search_call": ItemRule(
        {
            "type": _TEXT,
            "id": validators.identifier("fs"),
            "status": _CALL_STATUS,
            "queries": validators.array_of_strings(),
            "results": validators.anything,
        },
        ("id", "queries"),
    ),
    "code_interpreter_call": ItemRule(
        {
            "type": _TEXT,
            "id": validators.identifier("ci"),
            "status": _CALL_STATUS,
            "code": _TEXT,
            "container_id": validators.identifier("cntr"),
            "outputs": validators.anything,
        },
        ("id", "container_id"),
    ),
    "compaction": ItemRule(
        {"type": _TEXT, "id": validators.identifier("cmp"), "encrypted_content": _TEXT}, ("encrypted_content",)
    ),
    "item_reference": ItemRule({"type": _TEXT, "id": _TEXT}, ("id",)),
}
_TYPES = ("message", *ITEMS)


def check_items(path: str, items: Sequence[Any]) -> None:
    """Check the shape of every item; `_item_pairing` checks which items belong together."""
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not isinstance(item, dict):
            raise errors.invalid_type(where, "an object", item)
        rule = _select_rule(where, item)
        validators.check_members(where, item, rule.allowed, required=rule.required)


def _select_rule(where: str, item: dict[str, Any]) -> ItemRule:
    kind = item.get("type")
    if kind is None and "role" not in item:
        raise errors.missing_parameter(f"{where}.type")
    if kind is None or kind == "message":
        return _ASSISTANT_MESSAGE_RULE if item.get("role") == "assistant" else _INPUT_MESSAGE_RULE
    rule = ITEMS.get(kind) if isinstance(kind, str) else None
    if rule is None:
        raise errors.invalid_value(f"{where}.type", kind, _TYPES)
    return rule
