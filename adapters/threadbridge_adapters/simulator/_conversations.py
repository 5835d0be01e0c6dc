"""`/v1/conversations`: create, read, change and delete; and their items, at most twenty a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._item_pairing import resolve
from threadbridge_adapters.simulator._items import check_items
from threadbridge_adapters.simulator._pagination import page
from threadbridge_adapters.simulator._response_objects import stored_items
from threadbridge_adapters.simulator._state import Conversation, Memory

ITEMS_PER_CALL = 20


def _items(path: str, value: Any) -> None:
    items = checks.array(path, value)
    if len(items) > ITEMS_PER_CALL:
        raise errors.too_long(path, "array", len(items), ITEMS_PER_CALL)
    check_items(path, items)


class Conversations:
    """The operations on conversations, over the simulator's memory."""

    def __init__(self, memory: Memory, clock: Clock, new_id: IdGenerator) -> None:
        self._memory = memory
        self._clock = clock
        self._new_id = new_id

    def create(self, raw: Any) -> Wire:
        body = checks.members("", raw or {}, {"metadata": checks.metadata, "items": _items})
        created = Conversation(self._new_id("conv"), int(self._clock.now()), body.get("metadata") or {})
        self._memory.append(created, self._stored(body.get("items") or []))
        self._memory.keep_conversation(created)
        return created.shown()

    def retrieve(self, conversation_id: str) -> Wire:
        return self._memory.conversation(conversation_id).shown()

    def update(self, conversation_id: str, raw: Any) -> Wire:
        conversation = self._memory.conversation(conversation_id)
        body = checks.members("", raw or {}, {"metadata": checks.metadata}, required=("metadata",))
        conversation.metadata = body["metadata"]
        return conversation.shown()

    def delete(self, conversation_id: str) -> Wire:
        self._memory.forget_conversation(conversation_id)
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    def create_items(self, conversation_id: str, raw: Any) -> Wire:
        """Add items and list what was added."""
        conversation = self._memory.conversation(conversation_id)
        body = checks.members("", raw or {}, {"items": _items}, required=("items",))
        added = self._stored(body["items"])
        self._memory.append(conversation, added)
        return page(added, {"limit": str(ITEMS_PER_CALL), "order": "asc"})

    def list_items(self, conversation_id: str, query: Mapping[str, str]) -> Wire:
        """Newest first unless `order` says otherwise (recorded)."""
        return page(list(self._memory.conversation(conversation_id).items.values()), query)

    def retrieve_item(self, conversation_id: str, item_id: str) -> Wire:
        found = self._memory.conversation(conversation_id).items.get(item_id)
        if found is None:
            raise errors.item_not_found(item_id)
        return found

    def delete_item(self, conversation_id: str, item_id: str) -> Wire:
        """Forget an item; the answer is the conversation."""
        conversation = self._memory.conversation(conversation_id)
        self._memory.remove_item(conversation, item_id)
        return conversation.shown()

    def _stored(self, items: Sequence[Wire]) -> list[Wire]:
        return stored_items(resolve(items, self._memory, store=True), self._new_id)
