"""Which items belong together: calls and outputs, reasoning and what it led to, ids and what is stored (§9)."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _encrypted_reasoning as sealing
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._state import Memory

_SEALED = ("reasoning", "compaction")
_MODELS_OWN = ("function_call", "reasoning", "file_search_call", "code_interpreter_call")


def resolve(items: Sequence[Wire], memory: Memory, *, store: bool) -> list[Wire]:
    """The items with references replaced by what they refer to. Unknown ids are the service's 404."""
    out: list[Wire] = []
    for item in items:
        if item.get("type") == "item_reference":
            found = memory.item(item["id"])
            if found is None:
                raise errors.item_not_found(item["id"], stored=store)
            out.append(found)
            continue
        _check_sealed_is_known(item, memory, store=store)
        out.append(item)
    return out


def check_pairs(history: Sequence[Wire], items: Sequence[Wire], memory: Memory) -> None:
    """Refuse what the service refuses: half a call, half a reasoning pair, an id given twice."""
    _check_unique(items)
    _check_reasoning(items, memory)
    _check_calls([*history, *items])


def _check_sealed_is_known(item: Wire, memory: Memory, *, store: bool) -> None:
    if item.get("type") not in _SEALED:
        return
    token = item.get("encrypted_content")
    if token:
        if not sealing.is_sealed(token) and not memory.was_replayed(token):
            raise sealing.not_verified(token)
    elif item.get("id") and memory.item(item["id"]) is None:
        raise errors.item_not_found(item["id"], stored=store)


def _check_unique(items: Sequence[Wire]) -> None:
    seen: set[str] = set()
    for item in items:
        item_id = item.get("id")
        if item_id in seen:
            text = f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again."
            raise errors.ServiceError(text, param="input")
        if item_id:
            seen.add(item_id)


def _check_reasoning(items: Sequence[Wire], memory: Memory) -> None:
    for index, item in enumerate(items):
        if not item.get("id"):
            continue
        before = items[index - 1] if index else None
        after = items[index + 1] if index + 1 < len(items) else None
        if item.get("type") == "reasoning":
            _check_followed(item, after, memory)
        else:
            _check_preceded(item, before, memory)


def _check_followed(item: Wire, after: Wire | None, memory: Memory) -> None:
    produced = memory.after(item["id"])
    if after is not None and _by_the_model(after) and (produced is None or _same(after, produced)):
        return
    text = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
    raise errors.ServiceError(text, param="input")


def _check_preceded(item: Wire, before: Wire | None, memory: Memory) -> None:
    reasoning = memory.reasoning_before(item["id"])
    if reasoning is None or (before is not None and before.get("id") == reasoning):
        return
    text = (
        f"Item '{item['id']}' of type '{item.get('type', 'message')}' was provided without its required preceding item "
        "of type 'reasoning'."
    )
    raise errors.ServiceError(text, param="input")


def _by_the_model(item: Wire) -> bool:
    return item.get("type") in _MODELS_OWN or item.get("role") == "assistant"


def _same(given: Wire, produced: Wire) -> bool:
    if given.get("id"):
        return bool(given["id"] == produced.get("id"))
    return "call_id" in given and given["call_id"] == produced.get("call_id")


def _check_calls(context: Sequence[Wire]) -> None:
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
