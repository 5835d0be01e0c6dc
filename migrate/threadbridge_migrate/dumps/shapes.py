"""Recognises objects and conversations in JSON by their structure, whatever file they are in.

`collect` tries the rows of `SHAPES` in order; the first that matches takes the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge_migrate.dumps.conversations import collect_conversation, find_turns
from threadbridge_migrate.dumps.object_collection import (
    CollectedKind,
    ObjectCollection,
    Origin,
    get_string,
    has_id,
)
from threadbridge_migrate.dumps.values import choose_thread_id, parse_time

#: Values nested deeper are not looked into.
MAX_DEPTH: Final = 12

_KINDS: Final[Mapping[str, CollectedKind]] = {
    "assistant": "assistant",
    "thread": "thread",
    "thread.message": "message",
    "thread.run": "run",
    "thread.run.step": "step",
    "file": "file",
    "vector_store": "vector_store",
}

#: Fields that only objects of this API have, for dumps that leave out `object`.
_SIGNATURES: Final[Mapping[CollectedKind, frozenset[str]]] = {
    "step": frozenset({"id", "run_id", "step_details"}),
    "run": frozenset({"id", "thread_id", "assistant_id", "status", "tools"}),
    "message": frozenset({"id", "thread_id", "role", "content", "created_at"}),
    "assistant": frozenset({"id", "model", "instructions", "tools", "created_at"}),
}
_ID_STARTS: Final[Mapping[CollectedKind, str]] = {
    "step": "step_",
    "run": "run_",
    "message": "msg_",
    "assistant": "asst_",
}
_OBJECT_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


class Context(NamedTuple):
    """Where a value is: its origin, the collection, and how deep it is nested."""

    collection: ObjectCollection
    origin: Origin
    depth: int = 0
    #: The thread and the run of objects that name none: those of the surrounding object or of the URL.
    thread_id: str | None = None
    run_id: str | None = None
    #: The order of a page whose times do not tell; the API lists newest first unless asked otherwise.
    newest_first: bool = True

    def at(self, place: object) -> Context:
        """The context of a value inside."""
        position = f"{self.origin.position}{'.' if self.origin.position else ''}{place}"
        return self._replace(origin=self.origin._replace(position=position), depth=self.depth + 1)

    def named(self, format_name: str) -> Context:
        """The context of a value whose format is known better now."""
        return self._replace(origin=self.origin._replace(format=format_name))


Matches: TypeAlias = Callable[[object], bool]
Collect: TypeAlias = Callable[[object, Context], bool]


class Shape(NamedTuple):
    """A shape of JSON values: its name, how it is recognised, and what collects it.

    `collect` returns False if there was nothing in the value.
    """

    name: str
    matches: Matches
    collect: Collect


def collect(value: object, context: Context) -> bool:
    """Collect everything in a value; False if nothing in it was recognised."""
    if context.depth > MAX_DEPTH:
        return False
    return any(shape.matches(value) and shape.collect(value, context) for shape in SHAPES)


# -- Objects of the API -----------------------------------------------------------------------------------------------


def find_kind(value: object) -> CollectedKind | None:
    """The kind of an object of the API, by `object` or, in dumps without it, by the fields and the form of the id."""
    if not is_json_object(value) or not has_id(value):
        return None
    name = value.get("object")
    if isinstance(name, str):
        return _KINDS.get(name)
    for kind, fields in _SIGNATURES.items():
        if fields <= value.keys() and value["id"].startswith(_ID_STARTS[kind]):
            return kind
    return None


def _collect_object(value: object, context: Context, position: int | None = None) -> bool:
    kind = find_kind(value)
    assert kind is not None  # noqa: S101 - the shape matched
    assert is_json_object(value)  # noqa: S101
    if kind in ("message", "run", "step") and not get_string(value, "thread_id"):
        if context.thread_id is not None:
            value = {**value, "thread_id": context.thread_id}
        elif kind != "step":
            context.collection.add_problem(context.origin, f"The {kind} {value['id']} names no thread.")
            return True
    if kind == "step" and context.run_id is not None and not get_string(value, "run_id"):
        value = {**value, "run_id": context.run_id}
    if kind == "message" and value.get("role") not in ("user", "assistant"):
        word = str(value.get("role"))[:40]
        context.collection.add_problem(context.origin, f"The role {word!r} is neither of a user nor of an assistant.")
        return True
    body, derived = _upgrade_version_1({**value}) if kind == "message" else ({**value}, ())
    if "object" not in body and kind in _OBJECT_NAMES:
        body["object"] = _OBJECT_NAMES[kind]
    context.collection.add(kind, body, context.origin, position=position, derived=derived)
    return True


def _upgrade_version_1(message: JsonObject) -> tuple[JsonObject, Sequence[str]]:
    """A message with `file_ids` (version 1 of the API) with attachments for them, too."""
    files: object = message.get("file_ids")
    if not files or message.get("attachments"):
        return message, ()
    tools = [{"type": "file_search"}]
    named = files if is_json_list(files) else []
    message["attachments"] = [{"file_id": each, "tools": tools} for each in named if isinstance(each, str)]
    return message, ("attachments",) if named else ()


def _is_deletion(value: object) -> bool:
    return has_id(value) and is_json_object(value) and value.get("deleted") is True and "object" in value


def _collect_deletion(value: object, context: Context) -> bool:
    assert is_json_object(value)  # noqa: S101 - the shape matched
    kind = _KINDS.get(str(value["object"]).removesuffix(".deleted"))
    if kind == "thread":  # a program that cleaned up: what was said before is what people look for
        context.collection.add_missing(value["id"], "deleted later")
    elif kind in ("message", "run", "step"):
        context.collection.remove(kind, value["id"])
    return kind is not None


# -- Lists ------------------------------------------------------------------------------------------------------------


def _is_page(value: object) -> bool:
    return is_json_object(value) and is_json_list(value.get("data")) and ("object" in value or "has_more" in value)


def _collect_page(value: object, context: Context) -> bool:
    assert is_json_object(value)  # noqa: S101 - the shape matched
    data: list[object] = value["data"]
    first = data[0] if data else None
    if is_json_object(first) and find_kind(first) is None and first.get("type") is not None:
        ordered = data[::-1] if _begins_with_newest(data, context) else data
        return collect_conversation({"id": _find_conversation_id(value, context)}, ordered, context.named("items"))
    if find_kind(first) == "message" and is_json_object(first):
        thread_id = get_string(first, "thread_id") or context.thread_id
        if thread_id is not None:
            context.collection.add_page(thread_id, is_whole=not value.get("has_more"))
    return not data or _collect_list(data, context.named("list page"), newest_first=context.newest_first)


def _begins_with_newest(items: Sequence[object], context: Context) -> bool:
    """Whether items without times are newest first: a conversation begins with a user, a list of the API at its end."""
    roles = [str(each["role"]) for each in items if is_json_object(each) and "role" in each]
    if roles and (roles[0] == "user") != (roles[-1] == "user"):
        return roles[-1] == "user"
    return context.newest_first


def is_unrelated(value: object) -> bool:
    """Whether a response of the API is a page of objects that an import has no use for, such as models."""
    if not is_json_object(value) or not _is_page(value):
        return False
    return all(is_json_object(each) and "object" in each and find_kind(each) is None for each in value["data"][:5])


def _find_conversation_id(value: JsonMapping, context: Context) -> object:
    """The conversation of a page of items: one that it names, else the file, so that pages of one file are together."""
    return get_string(value, "conversation_id", "conversation") or context.origin.key


def collect_objects(values: Iterable[object], sample: Sequence[object], header: JsonMapping, context: Context) -> bool:
    """Collect objects of a list that is too long for memory; `header` is the object around it, perhaps a page."""
    is_page = header.get("object") == "list" or "has_more" in header
    first = sample[0] if sample else None
    if is_page and find_kind(first) == "message" and is_json_object(first):
        thread_id = get_string(first, "thread_id") or context.thread_id
        if thread_id is not None:
            context.collection.add_page(thread_id, is_whole=not header.get("has_more"))
    named = context.named("list page") if is_page else context
    return _collect_list(values, named, newest_first=is_page and context.newest_first, sample=sample)


def _collect_list(
    values: Iterable[object],
    context: Context,
    *,
    newest_first: bool = False,
    sample: Sequence[object] | None = None,
) -> bool:
    """Objects in a list. Their order counts within a second; times show whether the newest is first."""
    times = [parse_time(each.get("created_at")) for each in sample or values if is_json_object(each)]
    known = [time for time in times if time is not None]
    if len(known) > 1 and known[0] != known[-1]:
        newest_first = known[0] > known[-1]
    is_known = False
    for number, value in enumerate(values):
        inner = context.at(number)
        if find_kind(value) is not None:
            position = context.collection.next_position()
            is_known = _collect_object(value, inner, -position if newest_first else position) or is_known
        elif collect(value, inner):
            is_known = True
        elif value is not None and context.depth < MAX_DEPTH:
            context.collection.add_problem(inner.origin, "This is no object that an import knows.")
    return is_known


def _is_list_of_known(value: object) -> bool:
    """Whether a list has objects that are known by themselves, and is not one conversation."""
    return is_json_list(value) and any(
        find_kind(each) is not None
        or (is_json_object(each) and (_is_page(each) or _is_container(each) or _is_stub(each)))
        for each in value[:50]
    )


# -- Threads with everything in them ----------------------------------------------------------------------------------

#: Lists that exporters put into the object of a thread.
_LISTS_OF_THREAD: Final = frozenset({"messages", "runs", "run_steps", "steps", "format", "version"})

_CHILDREN: Final = ("runs", "run_steps", "steps", "assistants", "assistant", "files", "vector_stores")


def _is_container(value: object) -> bool:
    """Whether an object holds a conversation: a list of turns under one of the usual names."""
    return is_json_object(value) and find_kind(value) is None and find_turns(value) is not None


def _has_lists(value: object) -> bool:
    """Whether an object is a thread of the API that an exporter put lists into."""
    return (
        find_kind(value) == "thread"
        and is_json_object(value)
        and any(is_json_list(value.get(name)) or is_json_object(value.get(name)) for name in _LISTS_OF_THREAD)
    )


def _collect_thread_with_lists(value: object, context: Context) -> bool:
    assert is_json_object(value)  # noqa: S101 - the shape matched
    thread = {name: each for name, each in value.items() if name not in _LISTS_OF_THREAD}
    lists = {name: each for name, each in value.items() if name in _LISTS_OF_THREAD}
    return _collect_container({"thread": thread, **lists}, context)


def _collect_container(value: object, context: Context) -> bool:
    assert is_json_object(value)  # noqa: S101 - the shape matched
    name, turns = find_turns(value) or ("", [])
    thread = value.get("thread")
    own_id = get_string(thread, "id") if is_json_object(thread) else get_string(value, "id", "thread_id")
    if own_id is not None and own_id.startswith("thread_"):
        context = context._replace(thread_id=own_id)
    inner = context.named("thread export")
    is_known = False
    for child in (*_CHILDREN, "thread"):
        is_known = _collect_child(value.get(child), inner.at(child)) or is_known
    if turns and all(find_kind(turn) == "message" for turn in turns):
        return _collect_list(turns, inner.at(name)) or is_known
    if not turns:
        return is_known
    inner_list = value.get(name)
    if is_json_object(inner_list) and _is_page(inner_list) and _begins_with_newest(turns, context):
        turns = turns[::-1]
    header: JsonObject = {**(thread if is_json_object(thread) else {}), **value}
    if is_json_object(thread) and get_string(thread, "id"):
        header["id"] = thread["id"]
    return collect_conversation(header, turns, context.at(name)) or is_known


def _collect_child(value: object, context: Context) -> bool:
    """What belongs to a thread: an object, a list, a page, or a mapping of lists by run."""
    if find_kind(value) is not None:
        return _collect_object(value, context)
    if is_json_list(value):
        return bool(value) and any(find_kind(each) is not None for each in value) and _collect_list(value, context)
    if not is_json_object(value):
        return False
    if _is_page(value):
        return _collect_page(value, context)
    is_known = False
    for name, inner in value.items():
        of_run = context.at(name)._replace(run_id=name)
        is_known = (not isinstance(inner, str) and _collect_child(inner, of_run)) or is_known
    return is_known


_COLLECTIONS: Final = (
    "threads",
    "conversations",
    "chats",
    "chat",
    "sessions",
    "history",
    "items",
    "data",
    "export",
    "results",
)


def _is_collection(value: object) -> bool:
    return is_json_object(value) and any(
        is_json_list(value.get(name)) or is_json_object(value.get(name))
        for name in (*_COLLECTIONS, *_CHILDREN, "messages", *(key for key in value if key.startswith("thread_")))
    )


def _collect_collection(value: object, context: Context) -> bool:
    """An object around lists of threads, or of objects by kind; everything in it is looked at."""
    assert is_json_object(value)  # noqa: S101 - the shape matched
    is_known = False
    for name, inner in value.items():
        place = context.at(name)
        if name.startswith("thread_"):
            place = place._replace(thread_id=name)
        is_known = collect_field(name, inner, place) or is_known
    return is_known


def collect_field(name: str, value: object, context: Context) -> bool:
    """Collect a field of an object that is no conversation itself."""
    if not value or not (is_json_list(value) or is_json_object(value)):
        return False
    return collect(value, context) or (name in _CHILDREN and _collect_child(value, context))


# -- Ids without messages ---------------------------------------------------------------------------------------------


def _is_stub(value: object) -> bool:
    """Whether an object is the entry of a list of threads: an id of a thread, and no messages."""
    if not is_json_object(value) or find_kind(value) is not None:
        return False
    thread_id = get_string(value, "thread_id", "threadId", "openaiThreadId", "openai_thread_id", "id")
    return thread_id is not None and thread_id.startswith("thread_") and "content" not in value


def _collect_stub(value: object, context: Context) -> bool:
    """A thread that begins empty, with the title in its metadata."""
    assert is_json_object(value)  # noqa: S101 - the shape matched
    named = get_string(value, "thread_id", "threadId", "openaiThreadId", "openai_thread_id", "id")
    thread_id, _ = choose_thread_id(named)
    title = get_string(value, "title", "thread_name", "name", "subject")
    created = parse_time(value.get("created_at", value.get("createdAt")))
    body: JsonObject = {
        "id": thread_id,
        "object": "thread",
        "created_at": created,
        "metadata": {"title": title[:512]} if title else {},
        "tool_resources": {},
    }
    context.collection.add("thread", body, context.named("thread ids").origin, derived=["thread"])
    return True


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value.startswith("thread_") and choose_thread_id(value)[1] is False


def _collect_id(value: object, context: Context) -> bool:
    return _collect_stub({"id": value}, context)


def _is_conversation_list(value: object) -> bool:
    return is_json_list(value) and find_turns({"messages": value}) is not None


def _collect_conversation_list(value: object, context: Context) -> bool:
    """A list that is one conversation; rows that name several threads are divided by `collect_conversation`."""
    assert is_json_list(value)  # noqa: S101 - the shape matched
    return collect_conversation({"id": context.thread_id or context.origin.key}, value, context)


def _is_object(value: object) -> bool:
    return find_kind(value) is not None


def _collect_any_list(value: object, context: Context) -> bool:
    return is_json_list(value) and _collect_list(value, context)


#: In order: what is surer comes first.
SHAPES: Final[Sequence[Shape]] = (
    Shape("thread with lists", _has_lists, _collect_thread_with_lists),
    Shape("object of the API", _is_object, _collect_object),
    Shape("deletion", _is_deletion, _collect_deletion),
    Shape("list page", _is_page, _collect_page),
    Shape("list of objects", _is_list_of_known, _collect_any_list),
    Shape("conversation", _is_container, _collect_container),
    Shape("list of messages", _is_conversation_list, _collect_conversation_list),
    Shape("thread without messages", _is_stub, _collect_stub),
    Shape("id of a thread", _is_id, _collect_id),
    Shape("list", is_json_list, _collect_any_list),
    Shape("collection", _is_collection, _collect_collection),
)
