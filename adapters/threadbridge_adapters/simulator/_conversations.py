"""`/v1/conversations`: create, retrieve, update and delete, and their items, at most twenty per call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock, IdGenerator
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._input_items import check_items, resolve_references
from threadbridge_adapters.simulator._response_objects import to_stored_items
from threadbridge_adapters.simulator._state import Conversation, SimulatorState
from threadbridge_adapters.simulator._validators import paginate

MAX_ITEMS_PER_CALL = 20


def _check_new_items(path: str, value: Any) -> None:
    items = validators.require_array(path, value)
    if len(items) > MAX_ITEMS_PER_CALL:
        raise errors.too_long(path, "array", len(items), MAX_ITEMS_PER_CALL)
    check_items(path, items)


class Conversations:
    """The operations on conversations in the simulator's state."""

    def __init__(self, state: SimulatorState, clock: Clock, new_id: IdGenerator) -> None:
        self._state = state
        self._clock = clock
        self._new_id = new_id

    def create(self, raw: Any) -> JsonObject:
        body = validators.check_members(
            "", raw or JsonObject(), {"metadata": validators.metadata, "items": _check_new_items}
        )
        conversation = Conversation(self._new_id("conv"), int(self._clock.now()), body.get("metadata") or JsonObject())
        self._state.append_items(conversation, self._prepare_items(body.get("items") or []))
        self._state.put_conversation(conversation)
        return conversation.to_wire()

    def retrieve(self, conversation_id: str) -> JsonObject:
        return self._state.get_conversation(conversation_id).to_wire()

    def update(self, conversation_id: str, raw: Any) -> JsonObject:
        conversation = self._state.get_conversation(conversation_id)
        body = validators.check_members(
            "", raw or JsonObject(), {"metadata": validators.metadata}, required=("metadata",)
        )
        conversation.metadata = body["metadata"]
        return conversation.to_wire()

    def delete(self, conversation_id: str) -> JsonObject:
        self._state.delete_conversation(conversation_id)
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    def create_items(self, conversation_id: str, raw: Any) -> JsonObject:
        """Add items and list the added ones."""
        conversation = self._state.get_conversation(conversation_id)
        body = validators.check_members("", raw or JsonObject(), {"items": _check_new_items}, required=("items",))
        added = self._prepare_items(body["items"])
        self._state.append_items(conversation, added)
        return paginate(added, {"limit": str(MAX_ITEMS_PER_CALL), "order": "asc"})

    def list_items(self, conversation_id: str, query: Mapping[str, str]) -> JsonObject:
        """Newest first unless `order` says otherwise (recorded)."""
        return paginate(list(self._state.get_conversation(conversation_id).items.values()), query)

    def retrieve_item(self, conversation_id: str, item_id: str) -> JsonObject:
        item = self._state.get_conversation(conversation_id).items.get(item_id)
        if item is None:
            raise errors.item_not_found(item_id)
        return item

    def delete_item(self, conversation_id: str, item_id: str) -> JsonObject:
        """Delete an item; returns the conversation."""
        conversation = self._state.get_conversation(conversation_id)
        self._state.remove_item(conversation, item_id)
        return conversation.to_wire()

    def _prepare_items(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        return to_stored_items(resolve_references(items, self._state, store=True), self._new_id)
