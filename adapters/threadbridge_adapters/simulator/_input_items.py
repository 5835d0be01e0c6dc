"""Input items: the schema of every type, references to stored items, which items belong together, images and files."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _tokens_and_compaction as encrypted_content
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._state import SimulatorState
from threadbridge_adapters.simulator._validators import Validator

#: The members that can be the source of a content part, by its type.
MEDIA_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "input_image": ("file_id", "image_url"),
    "input_file": ("file_id", "file_data", "file_url"),
}
_IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_DATA_URL: Final = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>[^,]*),(?P<data>.*)", re.DOTALL)
#: Ends of host names that no public resolver knows.
_PRIVATE_DOMAINS: Final = (".invalid", ".localhost", ".local", ".internal")


def check_media_source(path: str, part: JsonObject) -> None:
    """Check the source of an `input_image` or `input_file`: exactly one, and a URL that is one."""
    sources = MEDIA_SOURCES[part["type"]]
    given = [name for name in sources if part.get(name) is not None]
    if not given:
        raise errors.missing_source(path, sources)
    if len(given) > 1:
        raise errors.more_than_one_source(path, sources)
    for name in ("image_url", "file_url"):
        url = part.get(name)
        if url is None:
            continue
        if name == "file_url" or url[:5].lower() != "data:":
            if not _is_web_url(url):
                raise errors.invalid_url(f"{path}.{name}")
            continue
        found = _DATA_URL.fullmatch(url)
        if found is None:
            raise errors.invalid_url(f"{path}.{name}")
        if not found["parameters"].lower().endswith(";base64"):
            raise errors.invalid_image_data(f"{path}.{name}", "a value without the ';base64' separator.")
        if found["type"].lower() not in _IMAGE_TYPES:
            raise errors.invalid_image_data(f"{path}.{name}", f"unsupported MIME type '{found['type']}'.")
        try:
            base64.b64decode(found["data"], validate=True)
        except ValueError:
            raise errors.invalid_image_data(f"{path}.{name}", "an invalid base64-encoded value.") from None


def check_media_availability(context: Sequence[JsonObject], files: Files, unavailable_urls: Mapping[str, int]) -> None:
    """Raise the service's errors for files that do not exist and URLs that cannot be downloaded, in the whole context.

    `unavailable_urls` has the HTTP status of the download of each.
    """
    for item in context:
        for content in (item.get("content"), item.get("output")):
            for part in content if is_json_list(content) else ():
                if part.get("type") not in MEDIA_SOURCES:
                    continue
                if part.get("file_id") is not None:
                    files.get_file(part["file_id"])
                url = part.get("image_url") or part.get("file_url")
                if url is not None and (url in unavailable_urls or not _is_public_url(url)):
                    raise errors.download_failed(url, unavailable_urls.get(url), is_image=part["type"] == "input_image")


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(host) and not re.search(r"\s", url)


def _is_public_url(url: str) -> bool:
    """Whether the service could reach the host: no address or name of a private network."""
    host = None if url[:5].lower() == "data:" else urlsplit(url).hostname
    if host is None:
        return True
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_PRIVATE_DOMAINS)


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
        if kind in MEDIA_SOURCES:
            check_media_source(where, part)


def _make_parts_validator(parts: Mapping[str, ItemRule]) -> Validator:
    def check(path: str, value: Any) -> None:
        _check_parts(path, validators.require_array(path, value), parts)

    return check


def _make_content_validator(parts: Mapping[str, ItemRule]) -> Validator:
    def check(path: str, value: Any) -> None:
        if isinstance(value, str):
            return
        if not is_json_list(value):
            raise errors.invalid_type(path, "one of a string or array of objects", value)
        _check_parts(path, value, parts)

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
    """Check the shape of every item; `check_pairing` checks which items belong together."""
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not is_json_object(item):
            raise errors.invalid_type(where, "an object", item)
        kind = item.get("type")
        if kind is None and "role" not in item:
            raise errors.missing_parameter(f"{where}.type")
        if kind is None or kind == "message":
            rule = _ASSISTANT_MESSAGE_RULE if item.get("role") == "assistant" else _INPUT_MESSAGE_RULE
        elif isinstance(kind, str) and kind in ITEMS:
            rule = ITEMS[kind]
        else:
            raise errors.invalid_value(f"{where}.type", kind, _TYPES)
        validators.check_members(where, item, rule.allowed, required=rule.required)


_ENCRYPTED_TYPES = ("reasoning", "compaction")
_MODEL_ITEM_TYPES = ("function_call", "reasoning", "file_search_call", "code_interpreter_call")


def resolve_references(items: Sequence[JsonObject], state: SimulatorState, *, store: bool) -> list[JsonObject]:
    """The items with references replaced by the stored items. Raises the service's 404 for an unknown id, its 400 for
    encrypted content that cannot be verified.
    """
    out: list[JsonObject] = []
    for item in items:
        if item.get("type") == "item_reference":
            stored_item = state.get_item(item["id"])
            if stored_item is None:
                raise errors.item_not_found(item["id"], stored=store)
            out.append(stored_item)
            continue
        if item.get("type") in _ENCRYPTED_TYPES:
            token = item.get("encrypted_content")
            if token:
                if not encrypted_content.is_own_encrypted_content(token) and not state.is_replayed_content(token):
                    raise encrypted_content.unverifiable_content_error(token)
            elif item.get("id") and state.get_item(item["id"]) is None:
                raise errors.item_not_found(item["id"], stored=store)
        out.append(item)
    return out


def check_pairing(history: Sequence[JsonObject], items: Sequence[JsonObject], state: SimulatorState) -> None:
    """Raise the service's errors for unpaired calls, unpaired reasoning items and duplicate ids."""
    seen: set[str] = set()
    for item in items:
        item_id = item.get("id")
        if item_id in seen:
            text = f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again."
            raise errors.ServiceError(text, param="input")
        if item_id:
            seen.add(item_id)
    for before, item, after in zip([None, *items], items, [*items[1:], None], strict=False):
        if item.get("id"):
            _check_reasoning_pair(before, item, after, state)
    context = [*history, *items]
    for before, item, after in zip([None, *history], history, [*context[1:], None], strict=False):
        item_id = item.get("id", "")
        produced = state.get_following_item(item_id) if item.get("type") == "reasoning" else None
        # an item that was deleted from a conversation leaves its reasoning item unpaired, and the reverse
        if produced is not None or state.get_preceding_reasoning_id(item_id) is not None:
            _check_reasoning_pair(before, item, after, state)
    calls = dict.fromkeys(item["call_id"] for item in context if item.get("type") == "function_call")
    outputs = (item for item in context if item.get("type") == "function_call_output")
    answered = dict.fromkeys(item["call_id"] for item in outputs)
    for call_id in answered:
        if call_id not in calls:
            text = f"No tool call found for function call output with call_id {call_id}."
            raise errors.ServiceError(text, param="input")
    for call_id in calls:
        if call_id not in answered:
            raise errors.ServiceError(f"No tool output found for function call {call_id}.", param="input")


def _check_reasoning_pair(
    before: JsonObject | None, item: JsonObject, after: JsonObject | None, state: SimulatorState
) -> None:
    """A reasoning item needs the item that the model produced after it, and that one needs its reasoning item."""
    if item.get("type") != "reasoning":
        reasoning = state.get_preceding_reasoning_id(item["id"])
        if reasoning is not None and (before is None or before.get("id") != reasoning):
            text = (
                f"Item '{item['id']}' of type '{item.get('type', 'message')}' was provided without its required "
                "preceding item of type 'reasoning'."
            )
            raise errors.ServiceError(text, param="input")
        return
    produced = state.get_following_item(item["id"])
    if after is not None and (after.get("type") in _MODEL_ITEM_TYPES or after.get("role") == "assistant"):
        key = "id" if after.get("id") else "call_id"  # a client may leave out the id of a call
        if produced is None or (key in after and after[key] == produced.get(key)):
            return
    text = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
    raise errors.ServiceError(text, param="input")
