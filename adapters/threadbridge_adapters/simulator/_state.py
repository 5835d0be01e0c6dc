"""What the simulator remembers: responses, their items, conversations. All of it bounded, the oldest goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from threadbridge.ports import Clock, Wire
from threadbridge_adapters.simulator import _errors as errors

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a simulator keeps before it forgets the oldest, and how much it accepts."""

    responses: int = 2_000
    #: Days for which a response is kept (§2); what is in a conversation stays.
    response_days: int = 30
    conversations: int = 1_000
    conversation_items: int = 20_000
    requests: int = 1_000
    #: Encrypted contents of replayed recordings that may be sent back.
    replayed_seals: int = 1_000
    #: Tokens that the model can read: an input of more is refused.
    context_tokens: int = 1_050_000
    body_bytes: int = 64 * 1024 * 1024
    #: Uploaded files, the bytes of one and of all of them; what is larger than 64 KiB lies on disk.
    files: int = 2_000
    file_bytes: int = 512 * 1024 * 1024
    kept_bytes: int = 4 * 1024**3
    uploads: int = 100
    vector_stores: int = 500
    #: Files in one vector store, and the text of all of them that can be searched.
    vector_store_files: int = 10_000
    indexed_bytes: int = 256 * 1024 * 1024
    containers: int = 500
    container_files: int = 1_000


@dataclass(slots=True)
class StoredResponse:
    """One response: the object as it is now, what was asked, and everything that came before."""

    body: Wire
    input_items: Sequence[Wire]
    history: Sequence[Wire]
    #: The model's family names its access programs in plain answers.
    access: bool = False
    #: Created with `stream: true`: only then can its stream be taken up again.
    streamed: bool = False
    #: Events of a background response, for those who come back to its stream.
    events: list[Wire] = field(default_factory=list[Wire])

    def context(self) -> list[Wire]:
        """What a response that continues this one starts from."""
        return [*self.history, *self.input_items, *self.body["output"]]


@dataclass(slots=True)
class Conversation:
    """A conversation and its items, oldest first, by id."""

    id: str
    created_at: int
    metadata: Wire
    items: dict[str, Wire] = field(default_factory=dict[str, Wire])
    #: A response is being made for it: nobody else may use it (mapping §2).
    locked: bool = False

    def shown(self) -> Wire:
        """The wire object."""
        return {"id": self.id, "object": "conversation", "created_at": self.created_at, "metadata": self.metadata}


class Hold:
    """The lock on a conversation while a response is made for it: taken once, given back once."""

    def __init__(self, conversation: Conversation | None) -> None:
        self._conversation = conversation
        self._held = False

    def take(self) -> None:
        if self._conversation is not None:
            self._conversation.locked = self._held = True

    def release(self) -> None:
        """Give it back, if it is still ours."""
        if self._conversation is not None and self._held:
            self._conversation.locked = self._held = False


@dataclass(frozen=True, slots=True)
class _Neighbours:
    owner: str  # the response or conversation that goes away with it
    item: Wire
    reasoning_before: str | None = None
    after: Wire | None = None


class Memory:
    """Responses and conversations by id."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()
        self._items: dict[str, _Neighbours] = {}
        self._replayed: OrderedDict[str, None] = OrderedDict()

    def keep(self, stored: StoredResponse) -> None:
        """Remember a response, or what became of it."""
        response_id = stored.body["id"]
        self._responses[response_id] = stored
        self._index(response_id, stored.input_items)
        self._index(response_id, stored.body["output"])
        while len(self._responses) > self._limits.responses:
            self._forget(next(iter(self._responses)))

    def response(self, response_id: str) -> StoredResponse:
        """The response of this id, or the service's 404."""
        self._forget_old()
        stored = self._responses.get(response_id)
        if stored is None:
            raise errors.response_not_found(response_id)
        return stored

    def previous(self, response_id: str) -> StoredResponse:
        """The response to continue; unknown is a 400 here (§9)."""
        self._forget_old()
        stored = self._responses.get(response_id)
        if stored is None:
            raise errors.previous_response_not_found(response_id)
        return stored

    def forget_response(self, response_id: str) -> StoredResponse:
        """Delete a response; raises the 404 if there is none."""
        stored = self.response(response_id)
        self._forget(response_id)
        return stored

    def keep_conversation(self, conversation: Conversation) -> None:
        self._conversations[conversation.id] = conversation
        while len(self._conversations) > self._limits.conversations:
            self.forget_conversation(next(iter(self._conversations)))

    def conversation(self, conversation_id: str) -> Conversation:
        """The conversation of this id, or the service's 404."""
        found = self._conversations.get(conversation_id)
        if found is None:
            raise errors.conversation_not_found(conversation_id)
        return found

    def forget_conversation(self, conversation_id: str) -> None:
        self._drop(conversation_id, self.conversation(conversation_id).items.values())
        del self._conversations[conversation_id]

    def append(self, conversation: Conversation, items: Iterable[Wire]) -> None:
        """Add items to the end of a conversation, up to the limit."""
        new = {item["id"]: item for item in items}
        if len(conversation.items) + len(new) > self._limits.conversation_items:
            raise errors.ServiceError(f"The simulator keeps at most {self._limits.conversation_items} items.")
        conversation.items.update(new)
        self._index(conversation.id, list(new.values()))

    def remove_item(self, conversation: Conversation, item_id: str) -> None:
        """Take an item out of a conversation; raises the 404 if it is not in there."""
        removed = conversation.items.pop(item_id, None)
        if removed is None:
            raise errors.item_not_found(item_id)
        self._drop(conversation.id, [removed])

    def item(self, item_id: str) -> Wire | None:
        """A stored item."""
        found = self._items.get(item_id)
        return found.item if found else None

    def reasoning_before(self, item_id: str) -> str | None:
        """The reasoning item this stored one was produced from."""
        found = self._items.get(item_id)
        return found.reasoning_before if found else None

    def after(self, item_id: str) -> Wire | None:
        """The item a stored reasoning item led to."""
        found = self._items.get(item_id)
        return found.after if found else None

    def note_replayed(self, items: Iterable[Wire]) -> None:
        """Encrypted contents of a replayed recording count as ours."""
        for item in items:
            if item.get("encrypted_content"):
                self._replayed[item["encrypted_content"]] = None
        while len(self._replayed) > self._limits.replayed_seals:
            self._replayed.popitem(last=False)

    def was_replayed(self, token: str) -> bool:
        return token in self._replayed

    def _index(self, owner: str, items: Sequence[Wire]) -> None:
        for before, item, after in zip([None, *items], items, [*items[1:], None], strict=False):
            if "id" not in item or item["id"] in self._items:
                continue
            reasoning = before.get("id") if before is not None and before.get("type") == "reasoning" else None
            self._items[item["id"]] = _Neighbours(owner, item, reasoning, after)

    def _forget_old(self) -> None:
        until = self._clock.now() - self._limits.response_days * _DAY
        while self._responses and (oldest := next(iter(self._responses.values()))).body["created_at"] <= until:
            self._forget(oldest.body["id"])

    def _forget(self, response_id: str) -> None:
        stored = self._responses.pop(response_id)
        self._drop(response_id, [*stored.input_items, *stored.body["output"]])

    def _drop(self, owner: str, items: Iterable[Wire]) -> None:
        for item in items:
            found = self._items.get(item.get("id", ""))
            if found is not None and found.owner == owner:
                del self._items[item["id"]]
