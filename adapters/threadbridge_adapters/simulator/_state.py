"""The simulator's state: its limits, ids, responses, their items, and conversations. The oldest are dropped first."""

from __future__ import annotations

import secrets
import string
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock
from threadbridge_adapters.simulator import _errors as errors

_DAY = 86_400
_ALPHABET = string.ascii_letters + string.digits
#: Prefixes whose ids are letters and digits: the separator and the number of characters.
_ALPHANUMERIC_FORMATS = {"call": ("_", 24), "file": ("-", 22)}
_HEX_BYTES = {"cfile": 16, "cntr": 24, "conv": 24, "part": 16, "req": 16, "upload": 16, "vs": 16, "vsfb": 16}
_DEFAULT_HEX_BYTES = 25


@dataclass(frozen=True, slots=True)
class SimulatorLimits:
    """Limits on stored objects, beyond which the oldest are dropped, and on the size of requests."""

    responses: int = 2_000
    #: Days for which a response is stored (§2); items in a conversation do not expire.
    response_days: int = 30
    conversations: int = 1_000
    conversation_items: int = 20_000
    requests: int = 1_000
    #: Encrypted contents of replayed recordings that may be sent back.
    replayed_contents: int = 1_000
    #: The context window in tokens: a larger input is rejected.
    context_tokens: int = 1_050_000
    body_bytes: int = 64 * 1024 * 1024
    #: Uploaded files, and the bytes of one and of all of them; files larger than 64 KiB are on disk.
    files: int = 2_000
    file_bytes: int = 512 * 1024 * 1024
    total_file_bytes: int = 4 * 1024**3
    uploads: int = 100
    vector_stores: int = 500
    #: Files in one vector store, and the bytes of searchable text in all of them.
    vector_store_files: int = 10_000
    indexed_bytes: int = 256 * 1024 * 1024
    containers: int = 500
    container_files: int = 1_000


@dataclass(slots=True)
class StoredResponse:
    """One response: its current object, its input, and the context before it."""

    body: JsonObject
    input_items: Sequence[JsonObject]
    history: Sequence[JsonObject]
    #: Whether the model family sends its access programs in plain responses.
    names_access_programs: bool = False
    #: Whether it was created with `stream: true`: only then can its stream be resumed.
    is_streamed: bool = False
    #: Events of a background response, for clients that resume its stream.
    events: list[JsonObject] = field(default_factory=list[JsonObject])

    def build_context(self) -> list[JsonObject]:
        """The context of a response that continues this one."""
        return [*self.history, *self.input_items, *self.body["output"]]


@dataclass(slots=True)
class Conversation:
    """A conversation and its items, oldest first, by id."""

    id: str
    created_at: int
    metadata: JsonObject
    items: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    #: Whether a response is being produced for it, so that no other request may use it (mapping §2).
    is_locked: bool = False

    def to_wire(self) -> JsonObject:
        """The wire object."""
        return {"id": self.id, "object": "conversation", "created_at": self.created_at, "metadata": self.metadata}


class ConversationLock:
    """The lock on a conversation while a response is produced for it: acquired once, released once."""

    def __init__(self, conversation: Conversation | None) -> None:
        self._conversation = conversation
        self._is_acquired = False

    def acquire(self) -> None:
        if self._conversation is not None:
            self._conversation.is_locked = self._is_acquired = True

    def release(self) -> None:
        """Release the lock if it is still held."""
        if self._conversation is not None and self._is_acquired:
            self._conversation.is_locked = self._is_acquired = False


@dataclass(frozen=True, slots=True)
class _IndexedItem:
    owner: str  # the response or conversation with which it is dropped
    item: JsonObject
    preceding_reasoning_id: str | None = None
    following_item: JsonObject | None = None


class SimulatorState:
    """Responses and conversations by id."""

    def __init__(self, limits: SimulatorLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()
        self._indexed_items: dict[str, _IndexedItem] = {}
        self._replayed_contents: OrderedDict[str, None] = OrderedDict()

    def put_response(self, stored_response: StoredResponse) -> None:
        """Store a new or changed response."""
        response_id = stored_response.body["id"]
        self._responses[response_id] = stored_response
        self._index_items(response_id, stored_response.input_items)
        self._index_items(response_id, stored_response.body["output"])
        while len(self._responses) > self._limits.responses:
            self._delete(next(iter(self._responses)))

    def get_response(self, response_id: str) -> StoredResponse:
        """The response with this id. Raises the service's 404."""
        self._delete_expired()
        stored_response = self._responses.get(response_id)
        if stored_response is None:
            raise errors.response_not_found(response_id)
        return stored_response

    def get_previous_response(self, response_id: str) -> StoredResponse:
        """The response to continue. Raises the service's 400 for an unknown id (§9)."""
        self._delete_expired()
        stored_response = self._responses.get(response_id)
        if stored_response is None:
            raise errors.previous_response_not_found(response_id)
        return stored_response

    def delete_response(self, response_id: str) -> StoredResponse:
        """Delete a response. Raises the service's 404."""
        stored_response = self.get_response(response_id)
        self._delete(response_id)
        return stored_response

    def put_conversation(self, conversation: Conversation) -> None:
        self._conversations[conversation.id] = conversation
        while len(self._conversations) > self._limits.conversations:
            self.delete_conversation(next(iter(self._conversations)))

    def get_conversation(self, conversation_id: str) -> Conversation:
        """The conversation with this id. Raises the service's 404."""
        conversation = self._conversations.get(conversation_id)
        if conversation is None:
            raise errors.conversation_not_found(conversation_id)
        return conversation

    def delete_conversation(self, conversation_id: str) -> None:
        self._unindex_items(conversation_id, self.get_conversation(conversation_id).items.values())
        del self._conversations[conversation_id]

    def append_items(self, conversation: Conversation, items: Iterable[JsonObject]) -> None:
        """Add items to the end of a conversation, up to the limit."""
        items_by_id = {item["id"]: item for item in items}
        if len(conversation.items) + len(items_by_id) > self._limits.conversation_items:
            raise errors.ServiceError(f"The simulator keeps at most {self._limits.conversation_items} items.")
        conversation.items.update(items_by_id)
        self._index_items(conversation.id, list(items_by_id.values()))

    def remove_item(self, conversation: Conversation, item_id: str) -> None:
        """Remove an item from a conversation. Raises the service's 404."""
        removed = conversation.items.pop(item_id, None)
        if removed is None:
            raise errors.item_not_found(item_id)
        self._unindex_items(conversation.id, [removed])

    def get_item(self, item_id: str) -> JsonObject | None:
        """A stored item."""
        found = self._indexed_items.get(item_id)
        return found.item if found else None

    def get_preceding_reasoning_id(self, item_id: str) -> str | None:
        """The reasoning item before this stored item."""
        found = self._indexed_items.get(item_id)
        return found.preceding_reasoning_id if found else None

    def get_following_item(self, item_id: str) -> JsonObject | None:
        """The item after a stored reasoning item."""
        found = self._indexed_items.get(item_id)
        return found.following_item if found else None

    def record_replayed_contents(self, items: Iterable[JsonObject]) -> None:
        """Accept the encrypted contents of a replayed recording in later requests."""
        for item in items:
            if item.get("encrypted_content"):
                self._replayed_contents[item["encrypted_content"]] = None
        while len(self._replayed_contents) > self._limits.replayed_contents:
            self._replayed_contents.popitem(last=False)

    def is_replayed_content(self, token: str) -> bool:
        return token in self._replayed_contents

    def _index_items(self, owner: str, items: Sequence[JsonObject]) -> None:
        for before, item, after in zip([None, *items], items, [*items[1:], None], strict=False):
            if "id" not in item or item["id"] in self._indexed_items:
                continue
            reasoning = before.get("id") if before is not None and before.get("type") == "reasoning" else None
            self._indexed_items[item["id"]] = _IndexedItem(owner, item, reasoning, after)

    def _delete_expired(self) -> None:
        until = self._clock.now() - self._limits.response_days * _DAY
        while self._responses and (oldest := next(iter(self._responses.values()))).body["created_at"] <= until:
            self._delete(oldest.body["id"])

    def _delete(self, response_id: str) -> None:
        stored_response = self._responses.pop(response_id)
        self._unindex_items(response_id, [*stored_response.input_items, *stored_response.body["output"]])

    def _unindex_items(self, owner: str, items: Iterable[JsonObject]) -> None:
        for item in items:
            found = self._indexed_items.get(item.get("id", ""))
            if found is not None and found.owner == owner:
                del self._indexed_items[item["id"]]


def new_id(prefix: str) -> str:
    """A new random id: `resp_`, `msg_`, `fc_`, `rs_` with 50 digits, `conv_` and `cntr_` with 48, `vs_` with 32;
    `call_` with 24 and `file-` with 22 letters and digits.
    """
    if prefix in _ALPHANUMERIC_FORMATS:
        between, length = _ALPHANUMERIC_FORMATS[prefix]
        return prefix + between + "".join(secrets.choice(_ALPHABET) for _ in range(length))
    return f"{prefix}_{secrets.token_hex(_HEX_BYTES.get(prefix, _DEFAULT_HEX_BYTES))}"
