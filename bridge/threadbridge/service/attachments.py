"""What a request needs done at the service behind before it is written: stores made, attached files put into them.

Attachments belong to the thread's tools (A38), vector stores may be described in place of their ids (A22, A28), and
every file that a request names has to be there (A102). All of it is decided here and done by an adapter; the request is
written only once it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Kind, Session, Wire
from threadbridge.service import cleanup_intents
from threadbridge.service.queries import found
from threadbridge.settings import Limits
from threadbridge.translation.provider_profiles import Profile
from threadbridge.validation import (
    ASSISTANT_CREATE,
    ASSISTANT_UPDATE,
    MESSAGE_CREATE,
    RUN_CREATE,
    THREAD_AND_RUN_CREATE,
    THREAD_CREATE,
    THREAD_UPDATE,
    check_files,
    check_id,
    checked,
)
from threadbridge.validation.schema_types import Object

#: A store made for a thread is gone a week after its last use (A31).
_THREAD_STORE_EXPIRY: Wire = {"anchor": "last_active_at", "days": 7}


@dataclass(frozen=True, slots=True)
class NewStore:
    """A vector store to be made, as `POST /vector_stores` takes it, without its files."""

    body: Wire
    chunking_strategy: Wire | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be done: `search` goes into `new_store`, or else into `store`; `there` has only to be there."""

    new_store: NewStore | None = None
    store: str | None = None
    search: tuple[str, ...] = ()
    there: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Supplied:
    """What was done: the store that has the files, and the errand that would undo it all."""

    store: str | None = None
    errand_id: str | None = None


def of_assistant(limits: Limits, body: Wire) -> Needs | None:
    """The needs of a new assistant; None for one that has none, whose body is not judged here."""
    if not _needy(body.get("tool_resources")):
        return None
    resources = checked(ASSISTANT_CREATE, body, limits=limits).get("tool_resources", {})
    return replace(_described_store(resources, of_thread=False) or Needs(), there=_held(resources))


def of_assistant_update(limits: Limits, body: Wire) -> Needs | None:
    """The needs of an assistant's new tool resources."""
    return _of_update(ASSISTANT_UPDATE, limits, body)


def of_thread_update(limits: Limits, body: Wire) -> Needs | None:
    """The needs of a thread's new tool resources."""
    return _of_update(THREAD_UPDATE, limits, body)


def _of_update(spec: Object, limits: Limits, body: Wire) -> Needs | None:
    if not _needy(body.get("tool_resources")):
        return None
    return Needs(there=_held(checked(spec, body, limits=limits).get("tool_resources", {})))


def of_thread(limits: Limits, body: Wire) -> Needs | None:
    """The needs of a new thread with its first messages."""
    if not _needy(body.get("tool_resources")) and not names_files(body.get("messages")):
        return None
    return _of_new_thread(checked(THREAD_CREATE, body, limits=limits), ())


def of_thread_and_run(limits: Limits, body: Wire) -> Needs | None:
    """The needs of a new thread with a run on it."""
    thread = body.get("thread")
    thread = thread if isinstance(thread, dict) else {}
    resources = (thread.get("tool_resources"), body.get("tool_resources"))
    messages = (thread.get("messages"), body.get("additional_messages"))
    if not any(map(_needy, resources)) and not any(map(names_files, messages)):
        return None
    given = checked(THREAD_AND_RUN_CREATE, body, limits=limits)
    needs = _of_new_thread(given.get("thread", {}), given.get("additional_messages", ()))
    return replace(needs, there=_each_once((*needs.there, *_held(given.get("tool_resources", {})))))


def of_message(session: Session, limits: Limits, thread_id: str, body: Wire) -> Needs:
    """The needs of a message that names files. Raises as its creation does."""
    check_id("thread_id", "thread", thread_id)
    given = checked(MESSAGE_CREATE, body, limits=limits)
    return _of_old_thread(found(session, Kind.THREAD, thread_id), [given])


def of_run(session: Session, limits: Limits, thread_id: str, body: Wire) -> Needs:
    """The needs of a run whose additional messages name files. Raises as its creation does."""
    check_id("thread_id", "thread", thread_id)
    given = checked(RUN_CREATE, body, limits=limits)
    return _of_old_thread(found(session, Kind.THREAD, thread_id), given.get("additional_messages", ()))


def possible(needs: Needs | None, profile: Profile) -> Needs | None:
    """Those of the needs that the service behind can see to: what it lacks is kept and shown, and goes no further."""
    if needs is None or not profile.files:
        return None
    return needs if profile.file_search else Needs(there=needs.there)


def names_files(messages: object) -> bool:
    """Whether messages that nobody has judged yet seem to attach files or to show images."""
    return isinstance(messages, list) and any(map(_names_files, messages))


def _names_files(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    return bool(message.get("attachments")) or (isinstance(content, list) and any(map(_is_image, content)))


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_file"


def granted(resources: Wire, messages: Iterable[Wire], supplied: Supplied | None) -> Wire:
    """A thread's or an assistant's tool resources once they are supplied: ids in place of descriptions, and the files
    of the messages. Raises InvalidRequest for more files than code may have (A21).
    """
    if supplied is None:
        return resources
    search, code = _files_of(messages)
    after = dict(resources)
    if supplied.store is not None and (search or _described(resources)):
        after["file_search"] = {"vector_store_ids": [supplied.store]}
    if code:
        held = (resources.get("code_interpreter") or {}).get("file_ids") or ()
        after["code_interpreter"] = {"file_ids": check_files(list(dict.fromkeys([*held, *code])))}
    return after


def done(session: Session, supplied: Supplied | None) -> None:
    """The request is written: nothing is to be undone any more. Raises UpstreamTimeout where that has begun already."""
    if supplied is None or supplied.errand_id is None:
        return
    if not cleanup_intents.fulfilled(session, supplied.errand_id):
        raise UpstreamTimeout("It took too long to write down what was done at the service behind. Please try again.")


def grant(session: Session, thread: Wire, messages: Sequence[Wire], supplied: Supplied | None) -> Wire:
    """The thread with what the messages attach, written where it changed."""
    resources = granted(thread["tool_resources"], messages, supplied)
    if resources == thread["tool_resources"]:
        return thread
    after = {**thread, "tool_resources": resources}
    session.put(Kind.THREAD, after)
    return after


def _of_new_thread(thread: Wire, more: Sequence[Wire]) -> Needs:
    resources: Wire = thread.get("tool_resources", {})
    messages = [*thread.get("messages", ()), *more]
    own = _described_store(resources, of_thread=True)
    search, code = _files_of(messages)
    granted(resources, messages, Supplied())
    there = (*_held(resources), *code, *_images_of(messages))
    if own is not None:
        return replace(own, search=_each_once((*own.search, *search)), there=_each_once(there))
    return _into_store(resources, search, there)


def _of_old_thread(thread: Wire, messages: Sequence[Wire]) -> Needs:
    search, code = _files_of(messages)
    granted(thread["tool_resources"], messages, Supplied())
    return _into_store(thread["tool_resources"], search, (*code, *_images_of(messages)))


def _into_store(resources: Wire, search: tuple[str, ...], there: Iterable[str]) -> Needs:
    held: Sequence[str] = (resources.get("file_search") or {}).get("vector_store_ids") or []
    needs = Needs(search=search, there=_each_once(there))
    if not search:
        return needs
    if held:
        return replace(needs, store=held[0])
    return replace(needs, new_store=NewStore({"expires_after": _THREAD_STORE_EXPIRY}))


def _described_store(resources: Wire, *, of_thread: bool) -> Needs | None:
    """The one store that is described (A21)."""
    for described in _described(resources):
        body = {"metadata": described["metadata"]} if described.get("metadata") else {}
        expiry = {"expires_after": _THREAD_STORE_EXPIRY} if of_thread else {}
        store = NewStore({**body, **expiry}, described.get("chunking_strategy"))
        return Needs(new_store=store, search=_each_once(described.get("file_ids", ())))
    return None


def _described(resources: object) -> Sequence[Wire]:
    search = resources.get("file_search") if isinstance(resources, dict) else None
    stores = search.get("vector_stores") if isinstance(search, dict) else None
    return stores if isinstance(stores, list) else ()


def _needy(resources: object) -> bool:
    """Whether tool resources that nobody has judged yet seem to describe stores or to name files."""
    code = resources.get("code_interpreter") if isinstance(resources, dict) else None
    return bool(_described(resources)) or (isinstance(code, dict) and bool(code.get("file_ids")))


def _held(resources: Wire) -> tuple[str, ...]:
    """The files for code that tool resources name."""
    return _each_once((resources.get("code_interpreter") or {}).get("file_ids") or ())


def _images_of(messages: Iterable[Wire]) -> Iterable[str]:
    """The files that messages show to the model."""
    parts = (part for message in messages if isinstance(message["content"], list) for part in message["content"])
    return (part["image_file"]["file_id"] for part in parts if part["type"] == "image_file")


def _each_once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _files_of(messages: Iterable[Wire]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attached files for searches and for code, each once; one may be for both (A38)."""
    by_tool: dict[str, dict[str, None]] = {"file_search": {}, "code_interpreter": {}}
    for attachment in (each for message in messages for each in message.get("attachments") or ()):
        for tool in attachment["tools"]:
            by_tool[tool["type"]][attachment["file_id"]] = None
    search, code = by_tool.values()
    return tuple(search), tuple(code)
