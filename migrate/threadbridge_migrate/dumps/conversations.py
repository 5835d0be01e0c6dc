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
    """One message of a turn. `key` is its own id, if it has one; `thread` the key of its thread, if it names one."""

    key: object
    role: object
    content: object
    created_at: int | None
    thread: object
    fields: JsonMapping
    #: The run whose calls precede it.
    run_id: str | None = None


def find_turns(value: JsonMapping) -> tuple[str, list[object]] | None:
    """The list of turns in an object, by the name of the list and the fields of what is in it."""
    for name in _TURN_LISTS:
        turns: object = value.get(name)
        if is_json_object(turns) and is_json_list(turns.get("data")):
            turns = turns["data"]
        if is_json_object(turns) and not is_turn(turns):
            turns = list(turns.values())  # a tree by id
        if name == "steps" and is_json_list(turns):
            # The other steps of a trace are calls of models and tools.
            turns = [turn for turn in turns if _is_traced_message(turn)] or turns
        if is_json_list(turns) and turns and all(is_turn(turn) for turn in turns[:_SAMPLE]):
            return name, turns
    mapping: object = value.get("mapping")
    nodes = [_build_turn(node) for node in mapping.values()] if is_json_object(mapping) else []
    turns = list[object](node for node in nodes if node is not None)
    return ("mapping", turns) if turns and all(is_turn(turn) for turn in turns[:_SAMPLE]) else None


def _build_turn(node: object) -> JsonObject | None:
    """A message in a node of a tree, with the parent that the node names; None for a node without a user's or a
    model's message."""
    message: object = node.get("message") if is_json_object(node) else None
    if not is_json_object(node) or not is_json_object(message):
        return None
    author: object = message.get("author")
    role: object = author.get("role") if is_json_object(author) else author
    content: object = message.get("content")
    parts: object = content.get("parts") if is_json_object(content) else content
    texts = [part for part in parts if part] if is_json_list(parts) else parts
    if parse_role(role) is None or not texts:
        return None
    return {
        "id": node.get("id"),
        "parentId": node.get("parent"),
        "role": role,
        "content": texts,
        "created_at": message.get("create_time"),
    }


def _is_traced_message(value: object) -> bool:
    """Whether a step of a trace is a message of a user or of an assistant."""
    return is_json_object(value) and value.get("type") in ("user_message", "assistant_message") and "output" in value


def is_turn(value: object) -> bool:
    """Whether a value is a message, an exchange, or an item of the Responses API."""
    if not is_json_object(value):
        return False
    if _get_output_id(value) is not None:
        return True
    if (_get_item_kind(value) and "object" not in value) or _is_traced_message(value):
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
    mirrored: object = header["metadata"].get("thread_id") if is_json_object(header.get("metadata")) else None
    if isinstance(mirrored, str) and mirrored:
        own_key = mirrored  # a conversation that was made of a thread
    own_key = origin.key if own_key is None else own_key
    threads: dict[str, object] = {}
    ordered, branches = _follow_branch(turns)
    outputs = _find_outputs(ordered)
    pending: list[JsonMapping] = []
    last_answer = _find_last_answer(ordered)
    for number, turn in enumerate(ordered):
        turn_origin = origin._replace(position=f"{origin.position}[{number}]")
        if not is_json_object(turn):
            collection.add_problem(turn_origin, "This is no message.")
            continue
        if _get_output_id(turn) is not None:
            continue
        calls = [{**call, "output": outputs.get(_get_call_id(call))} for call in _list_calls(turn)]
        inline = [call for call in _list_calls(turn) if call.get("output", call.get("result")) is not None]
        pending += inline
        pending += _list_calls(header) if number == last_answer else []
        for message in split_turn(turn, mapping or {}):
            key = message.thread if message.thread is not None else own_key
            thread_id = choose_thread_id(key)[0]
            if pending and parse_role(message.role) == "assistant" and build_content(message.content):
                run_id = _add_calls(collection, turn_origin, thread_id, pending, message.created_at)
                message, pending = message._replace(run_id=run_id), []
            if add_message(collection, turn_origin, key, message) is not None:
                threads.setdefault(thread_id, key)
        pending += [] if inline else calls
    for thread_id, key in threads.items():
        _add_thread(collection, origin, thread_id, key, header)
        if branches:
            collection.add_missing(thread_id, "branches")
    if pending and len(threads) == 1:
        _add_calls(collection, origin, next(iter(threads)), pending, None)
    return bool(threads)


def _find_last_answer(turns: Sequence[object]) -> int | None:
    """The number of the last turn of an assistant, which the calls of a whole conversation precede."""
    for number in range(len(turns) - 1, -1, -1):
        turn = turns[number]
        if is_json_object(turn) and any(parse_role(each.role) == "assistant" for each in split_turn(turn, {})):
            return number
    return None


def split_turn(turn: JsonMapping, mapping: Mapping[str, str]) -> Iterator[TurnMessage]:
    """The messages of a turn: one, or the question and the answer of an exchange."""
    columns = find_columns(turn, mapping)

    def get(field: str) -> object:
        return turn.get(columns[field]) if field in columns else None

    created, thread = parse_time(get("created_at")), get("thread_id")
    key = get("id")
    if _get_item_kind(turn) and "role" in turn:
        yield TurnMessage(key, turn["role"], turn.get("content"), created, thread, turn)
    elif describes_exchange(columns) and not (describes_message(columns) and parse_role(get("role"))):
        for field, role in (("question", "user"), ("answer", "assistant")):
            value = get(field)
            inner = _find_content(value, role)
            if inner not in (None, ""):
                yield TurnMessage(None if key is None else f"{key}/{field}", role, inner, created, thread, turn)
    else:
        flag = next((turn[name] for name in _USER_FLAGS if isinstance(turn.get(name), bool)), None)
        who: object = get("role") if flag is None else ("user" if flag else "assistant")
        content = get("content")
        if parse_role(who) is None and columns.get("role") == "agent" and isinstance(who, str):
            # In a discussion of several agents each one is an assistant, and its name is kept.
            turn = {**turn, "metadata": {"agent": who[:512]}}
            who = "assistant"
        if content is None and "type" in columns.values():
            content = _find_content(turn.get("output", turn.get("input")), parse_role(who) or "")
        yield TurnMessage(key, who, content, created, thread, turn)


def _find_content(value: object, role: str) -> object:
    """The content of a question or an answer: itself, in an object, or the last of its role in a list of messages."""
    messages: object = value.get("messages") if is_json_object(value) else value
    if is_json_list(messages):
        own = [each for each in messages if is_json_object(each) and parse_role(each.get("role")) == role]
        return own[-1].get("content") if own else value
    return value.get("content", value.get("text", value)) if is_json_object(value) else value


def add_message(collection: ObjectCollection, origin: Origin, key: object, message: TurnMessage) -> str | None:
    """Add a message to the thread of the key; the thread's id, or None with a problem if it is none of a thread."""
    if _get_item_kind(message.fields) not in (None, "message"):
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
    message_id = own_id or _derive_message_id(collection, origin, key, message, content)
    metadata: object = message.fields.get("metadata")
    body: JsonObject = {
        "id": message_id,
        "object": "thread.message",
        "created_at": message.created_at,
        "assistant_id": get_string(message.fields, "assistant_id", "assistantId"),
        "thread_id": thread_id,
        "run_id": message.run_id or get_string(message.fields, "run_id", "runId"),
        "role": role,
        "content": content,
        "attachments": [],
        "metadata": metadata if is_json_object(metadata) else {},
    }
    derived = ["messages"] if own_id else ["ids", "messages"]
    collection.add("message", body, origin, derived=derived)
    return thread_id


def _derive_message_id(
    collection: ObjectCollection, origin: Origin, key: object, message: TurnMessage, content: Sequence[JsonObject]
) -> str:
    """The id by the message's own one, or by what it says: files that overlap have the same, and a file that says
    the same twice has two."""
    if message.key is not None:
        return derive_id("message", key, message.key, message.role)
    said = derive_id("message", key, parse_role(message.role), message.created_at, orjson.dumps(content))
    count = collection.count_occurrence(said, origin.path)
    return said if count == 1 else derive_id("message", said, count)


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
    """The calls of functions in a header or a message, or an item that is one."""
    if _get_item_kind(value) == "function_call":
        return [value]
    found: list[JsonMapping] = []
    for name in _CALL_LISTS:
        calls: object = value.get(name)
        found += [call for call in calls if is_json_object(call)] if is_json_list(calls) else []
    return found


def _get_call_id(call: JsonMapping) -> str | None:
    return get_string(call, "call_id", "id")


def _get_output_id(turn: JsonMapping) -> str | None:
    """The call whose output a turn is: an item, or a message of the role tool."""
    if _get_item_kind(turn) == "function_call_output":
        return get_string(turn, "call_id")
    return get_string(turn, "tool_call_id") if turn.get("role") == "tool" else None


def _find_outputs(turns: Sequence[object]) -> dict[str | None, str]:
    """The outputs of calls by the ids of the calls."""
    outputs: dict[str | None, str] = {}
    for turn in turns:
        if is_json_object(turn) and (call_id := _get_output_id(turn)) is not None:
            outputs[call_id] = _to_text(turn.get("output", turn.get("content")))
    return outputs


def _add_calls(
    collection: ObjectCollection,
    origin: Origin,
    thread_id: str,
    calls: Sequence[JsonMapping],
    created_at: int | None,
) -> str | None:
    """A run with one step of function calls, so that the conversation continues with their outputs; its id."""
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
                "id": _get_call_id(call) or derive_id("message", thread_id, number).replace("msg_", "call_"),
                "type": "function",
                "function": {"name": name, "arguments": _to_text(arguments), "output": _to_text(output)},
            }
        )
    if not functions:
        return None
    created = created_at if created_at is not None else collection.find_last_time(thread_id) or 0
    run_id = derive_id("run", thread_id, orjson.dumps(functions), created_at)
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
    return run_id


def _to_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
