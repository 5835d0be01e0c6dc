"""Pairing of items: calls with outputs, reasoning with the item after it, references with stored items (§9)."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _encrypted_reasoning as encrypted_reasoning
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._state import SimulatorState

_ENCRYPTED_TYPES = ("reasoning", "compaction")
_MODEL_ITEM_TYPES = ("function_call", "reasoning", "file_search_call", "code_interpreter_call")


def resolve_references(items: Sequence[Wire], state: SimulatorState, *, store: bool) -> list[Wire]:
    """The items with references replaced by the stored items. Raises the service's 404 for unknown ids."""
    out: list[Wire] = []
    for item in items:
        if item.get("type") == "item_reference":
            stored_item = state.get_item(item["id"])
            if stored_item is None:
                raise errors.item_not_found(item["id"], stored=store)
            out.append(stored_item)
            continue
        _check_encrypted_content(item, state, store=store)
        out.append(item)
    return out


def check_pairing(history: Sequence[Wire], items: Sequence[Wire], state: SimulatorState) -> None:
    """Raise the service's errors for unpaired calls, unpaired reasoning items and duplicate ids."""
    _check_unique_ids(items)
    _check_reasoning_pairs(items, state)
    _check_call_pairs([*history, *items])


def _check_encrypted_content(item: Wire, state: SimulatorState, *, store: bool) -> None:
    if item.get("type") not in _ENCRYPTED_TYPES:
        return
    token = item.get("encrypted_content")
    if token:
        if not encrypted_reasoning.is_own_encrypted_content(token) and not state.is_replayed_content(token):
            raise encrypted_reasoning.unverifiable_content_error(token)
    elif item.get("id") and state.get_item(item["id"]) is None:
        raise errors.item_not_found(item["id"], stored=store)


def _check_unique_ids(items: Sequence[Wire]) -> None:
    seen: set[str] = set()
    for item in items:
        item_id = item.get("id")
        if item_id in seen:
            text = f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again."
            raise errors.ServiceError(text, param="input")
        if item_id:
            seen.add(item_id)


def _check_reasoning_pairs(items: Sequence[Wire], state: SimulatorState) -> None:
    for index, item in enumerate(items):
        if not item.get("id"):
            continue
        before = items[index - 1] if index else None
        after = items[index + 1] if index + 1 < len(items) else None
        if item.get("type") == "reasoning":
            _check_following_item(item, after, state)
        else:
            _check_preceding_item(item, before, state)


def _check_following_item(item: Wire, after: Wire | None, state: SimulatorState) -> None:
    produced = state.get_following_item(item["id"])
    if after is not None and _is_model_item(after) and (produced is None or _is_same_item(after, produced)):
        return
    text = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
    raise errors.ServiceError(text, param="input")


def _check_preceding_item(item: Wire, before: Wire | None, state: SimulatorState) -> None:
    reasoning = state.get_preceding_reasoning_id(item["id"])
    if reasoning is None or (before is not None and before.get("id") == reasoning):
        return
    text = (
        f"Item '{item['id']}' of type '{item.get('type', 'message')}' was provided without its required preceding item "
        "of type 'reasoning'."
    )
    raise errors.ServiceError(text, param="input")


def _is_model_item(item: Wire) -> bool:
    return item.get("type") in _MODEL_ITEM_TYPES or item.get("role") == "assistant"


def _is_same_item(item: Wire, produced: Wire) -> bool:
    if item.get("id"):
        return bool(item["id"] == produced.get("id"))
    return "call_id" in item and item["call_id"] == produced.get("call_id")


def _check_call_pairs(context: Sequence[Wire]) -> None:
    calls = {item["call_id"]: None for item in context if item.get("type") == "function_call"}
    answered: set[str] = set()
    for item in context:
        if item.get("type") != "function_call_output":
            continue
        if item["call_id"] not in calls:
            text = f"No tool call found for function call output with call_id {item['call_id']}."
            raise errors.ServiceError(text, param="input")
        answered.add(item["call_id"])
    for call_id in calls:
        if call_id not in answered:
            raise errors.ServiceError(f"No tool output found for function call {call_id}.", param="input")
