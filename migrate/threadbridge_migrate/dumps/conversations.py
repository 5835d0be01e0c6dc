"""Conversations of other programs: a header and a list of turns, whose fields have the usual names of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge_migrate.dumps.columns import describes_exchange, describes_message, find_columns
from threadbridge_migrate.dumps.object_collection import ObjectCollection, Origin, get_string
from threadbridge_migrate.dumps.run_builder import build_run
from threadbridge_migrate.dumps.values import build_content, choose_thread_id, derive_id, parse_role, parse_time

_TURN_LISTS: Final = ("messages", "turns", "history", "conversation", "chat", "items", "traces", "exchanges", "steps")
_PARENTS: Final = ("parentMessageId", "parent_message_id", "parent_id", "parentId", "parent")
_OWN_IDS: Final = ("messageId", "message_id", "id", "uuid")
_USER_FLAGS: Final = ("isCreatedByUser", "is_created_by_user", "is_user", "isUser", "fromUser", "from_user")
_CALL_LISTS: Final = ("toolCalls", "tool_calls", "function_calls")
_THREAD_KEYS: Final = (
    *("openaiThreadId", "openai_thread_id", "thread_id", "threadId", "conversation_id", "conversationId"),
    *("session_id", "sessionId", "chat_id", "id", "uuid"),
)
#: Items of the Responses API that are no messages.
_ITEM_KINDS: Final = frozenset({"message", "function_call", "function_call_output", "reasoning"})

#: Turns from which a list is recognised.
_SAMPLE: Final = 20


class Place(Protocol):
    """Where a conversation is, and the collection that takes it."""

    @property
    def collection(self) -> ObjectCollection: ...
    @property
    def origin(self) -> Origin: ...


class TurnMessage(NamedTuple):
    """One message of a turn. `key` is its own id or position; `thread` the key of its thread, if it names one."""

    key: object
    role: object
    content: object
    created_at: int | None
    thread: object
    fields: JsonMapping


def find_turns(value: JsonMapping) -> tuple[str, list[object]] | None:
    """The list of turns in an object, by the name of the list and the fields of what is in it."""
    for name in _TURN_LISTS:
        turns: object = value.get(name)
        if is_json_object(turns) and is_json_list(turns.get("data")):
            turns = turns["data"]
        if is_json_list(turns) and turns and all(is_turn(turn) for turn in turns[:_SAMPLE]):
            return name, turns
    return None


def is_turn(value: object) -> bool:
    """Whether a value is a message, an exchange, or an item of the Responses API."""
    if not is_json_object(value):
        return False
    if _get_item_kind(value) and "object" not in value:
        return True
    columns = find_columns(value, {})
    if describes_message(columns) or describes_exchange(columns):
        return True
    return "content" in columns and any(name in value for name in _USER_FLAGS)


def _get_item_kind(value: JsonMapping) -> str | None:
    """The type of an item of the Responses API; None for anything else."""
    kind: object = value.get("type")
    return kind if isinstance(kind, str) and kind in _ITEM_KINDS else None


def collect_conversation(
    header: JsonMapping, turns: Sequence[object], place: Place, *, mapping: Mapping[str, str] | None = None
) -> bool:
    """Collect the turns as messages of the thread that the header names, or of those that they name themselves."""
    collection, origin = place.collection, place.origin
    own_key = next((header[name] for name in _THREAD_KEYS if header.get(name) not in (None, "")), None)
    own_key = origin.key if own_key is None else own_key
    is_known = False
    threads: dict[str, JsonObject] = {}
    ordered, branches = _follow_branch(turns)
    calls = _list_calls(header)
    for number, turn in enumerate(ordered):
        turn_origin = origin._replace(position=f"{origin.position}[{number}]")
        if not is_json_object(turn):
            collection.add_problem(turn_origin, "This is no message.")
            continue
        calls += _list_calls(turn)
        for message in split_turn(turn, number, mapping or {}):
            key = message.thread if message.thread is not None else own_key
            thread_id = add_message(collection, turn_origin, key, message)
            if thread_id is not None:
                is_known = True
                threads.setdefault(thread_id, {"key": key})
    for thread_id, known in threads.items():
        _add_thread(collection, origin, thread_id, known["key"], header)
        if branches:
            collection.add_missing(thread_id, "branches")
    if calls and len(threads) == 1:
        _add_calls(collection, origin, next(iter(threads)), calls)
    return is_known


def split_turn(turn: JsonMapping, number: int, mapping: Mapping[str, str]) -> Iterator[TurnMessage]:
    """The messages of a turn: one, or the question and the answer of an exchange."""
    columns = find_columns(turn, mapping)

    def get(field: str) -> object:
        return turn.get(columns[field]) if field in columns else None

    created, thread = parse_time(get("created_at")), get("thread_id")
    key = get("id") or number
    if _get_item_kind(turn) and "role" in turn:
        yield TurnMessage(key, turn["role"], turn.get("content"), created, thread, turn)
    elif describes_exchange(columns) and not (describes_message(columns) and parse_role(get("role"))):
        for field, role in (("question", "user"), ("answer", "assistant")):
            value = get(field)
            inner: object = value.get("content", value.get("text", value)) if is_json_object(value) else value
            if inner not in (None, ""):
                yield TurnMessage(f"{key}/{field}", role, inner, created, thread, turn)
    else:
        flag = next((turn[name] for name in _USER_FLAGS if isinstance(turn.get(name), bool)), None)
        who: object = get("role") if flag is None else ("user" if flag else "assistant")
        content = get("content")
        if content is None and "type" in columns.values():
            content = turn.get("output", turn.get("input"))
        yield TurnMessage(key, who, content, created, thread, turn)


def add_message(collection: ObjectCollection, origin: Origin, key: object, message: TurnMessage) -> str | None:
    """Add a message to the thread of the key; the thread's id, or None with a problem if it is none of a thread."""
    if _get_item_kind(message.fields) not in (None, "message"):
        collection.add_missing(choose_thread_id(key)[0], "tool calls")
        return None
    role = parse_role(message.role)
    if role is None:
        word = str(message.role)[:40]
        collection.add_problem(origin, f"The role {word!r} is neither of a user nor of an assistant.")
        return None
    content = build_content(message.content)
    if content is None and not _list_calls(message.fields):
        collection.add_problem(origin, "This message has no content.")
        return None
    if content is None:
        return choose_thread_id(key)[0]
    thread_id, _ = choose_thread_id(key)
    own_id = message.key if isinstance(message.key, str) and message.key.startswith("msg_") else None
    message_id = own_id or derive_id("message", key, message.key, role)
    metadata: object = message.fields.get("metadata")
    body: JsonObject = {
        "id": message_id,
        "object": "thread.message",
        "created_at": message.created_at,
        "assistant_id": get_string(message.fields, "assistant_id", "assistantId"),
        "thread_id": thread_id,
        "run_id": get_string(message.fields, "run_id", "runId"),
        "role": role,
        "content": content,
        "attachments": [],
        "metadata": metadata if is_json_object(metadata) else {},
    }
    derived = ["messages"] if own_id else ["ids", "messages"]
    collection.add("message", body, origin, derived=derived)
    return thread_id


def _add_thread(collection: ObjectCollection, origin: Origin, thread_id: str, key: object, header: JsonMapping) -> None:
    if collection.has("thread", thread_id):
        return
    metadata: JsonObject = {}
    if key != thread_id:
        metadata["source_id"] = str(key)[:512]
    if title := get_string(header, "title", "name", "thread_name", "subject"):
        metadata["title"] = title[:512]
    times = (header.get(name) for name in ("created_at", "createdAt", "timestamp", "startTime"))
    created = next((time for value in times if (time := parse_time(value)) is not None), None)
    if created is None:
        created = collection.find_first_time(thread_id)
    body: JsonObject = {"id": thread_id, "object": "thread", "created_at": created or 0, "metadata": metadata}
    derived = ["thread"] if key == thread_id else ["ids", "thread"]
    collection.add("thread", {**body, "tool_resources": {}}, origin, derived=derived)


# -- Trees ------------------------------------------------------------------------------------------------------------


def _follow_branch(turns: Sequence[object]) -> tuple[Sequence[object], int]:
    """The turns from the root to the newest leaf of a tree, and how many turns are on other branches."""
    by_id: dict[object, tuple[int, JsonMapping]] = {}
    parents = set[object]()
    for number, turn in enumerate(turns):
        if not is_json_object(turn) or not any(name in turn for name in _PARENTS):
            return turns, 0
        by_id[_get_own_id(turn)] = (number, turn)
        parents.add(_get_parent(turn))
    leaves = [(number, turn) for own_id, (number, turn) in by_id.items() if own_id not in parents]
    if not leaves or not parents & by_id.keys():
        return turns, 0

    def get_age(leaf: tuple[int, JsonMapping]) -> tuple[int, int]:
        columns = find_columns(leaf[1], {})
        return parse_time(leaf[1].get(columns.get("created_at", ""))) or 0, leaf[0]

    branch: list[object] = []
    current: JsonMapping | None = max(leaves, key=get_age)[1]
    while current is not None and len(branch) < len(by_id):
        branch.append(current)
        _, current = by_id.get(_get_parent(current), (0, None))
    return branch[::-1], len(by_id) - len(branch)


def _get_own_id(turn: JsonMapping) -> object:
    return next((turn[name] for name in _OWN_IDS if isinstance(turn.get(name), str | int)), None)


def _get_parent(turn: JsonMapping) -> object:
    return next((turn[name] for name in _PARENTS if isinstance(turn.get(name), str | int)), None)


# -- Calls ------------------------------------------------------------------------------------------------------------


def _list_calls(value: JsonMapping) -> list[JsonMapping]:
    found: list[JsonMapping] = []
    for name in _CALL_LISTS:
        calls: object = value.get(name)
        found += [call for call in calls if is_json_object(call)] if is_json_list(calls) else []
    return found


def _add_calls(collection: ObjectCollection, origin: Origin, thread_id: str, calls: Sequence[JsonMapping]) -> None:
    """A run with one step of function calls, so that the conversation continues with their outputs."""
    functions: list[JsonObject] = []
    for number, call in enumerate(calls):
        function: object = call.get("function")
        source: JsonMapping = function if is_json_object(function) else call
        name = get_string(source, "name", "tool", "toolName")
        if name is None:
            collection.add_missing(thread_id, "tool calls")
            continue
        arguments, output = source.get("arguments", source.get("args", {})), call.get("output", call.get("result"))
        functions.append(
            {
                "id": get_string(call, "id", "call_id")
                or derive_id("message", thread_id, number).replace("msg_", "call_"),
                "type": "function",
                "function": {"name": name, "arguments": _to_text(arguments), "output": _to_text(output)},
            }
        )
    if not functions:
        return
    created = collection.find_last_time(thread_id) or 0
    run_id = derive_id("run", thread_id)
    run = build_run(run_id, thread_id, created)
    collection.add("run", run, origin, derived=["runs"])
    step: JsonObject = {
        "id": derive_id("step", run_id),
        "object": "thread.run.step",
        "created_at": created,
        "run_id": run_id,
        "assistant_id": run["assistant_id"],
        "thread_id": thread_id,
        "type": "tool_calls",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": created,
        "expires_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "tool_calls", "tool_calls": functions},
        "metadata": {},
        "usage": None,
    }
    collection.add("step", step, origin, derived=["runs"])


def _to_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
