"""The names that SDKs have for the operations of the API.

Names are compared in lower case without underscores and without what says how a call waits: `submit_tool_outputs`,
`submitToolOutputs`, `SubmitToolOutputs` and `SubmitToolOutputsAsync` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from threadbridge.wire.routes import OPERATIONS

#: The object that the methods of a resource work on, by the path of the resource after `beta` or the client.
RESOURCES: Mapping[tuple[str, ...], str] = {
    ("assistants",): "assistant",
    ("administration",): "assistant",  # of Foundry's client for .NET
    ("threads",): "thread",
    ("threads", "messages"): "message",
    ("threads", "runs"): "run",
    ("threads", "runs", "steps"): "step",
    ("messages",): "message",
    ("runs",): "run",
    ("runs", "steps"): "step",
    ("runsteps",): "step",
    ("threadmessages",): "message",
    ("threadruns",): "run",
    ("threadrunsteps",): "step",
    ("assistants", "files"): "assistant file",
    ("threads", "messages", "files"): "message file",
    ("assistantsendpoint",): "assistant",
    ("threadsendpoint",): "thread",
    ("agents",): "assistant",  # of Foundry's project client
}
_RESOURCE_WORDS = frozenset(word for path in RESOURCES for word in path)
#: What stands between resources and changes only how a call waits or what it returns.
_TRANSPARENT = frozenset({"withrawresponse", "withstreamingresponse", "withresponse", "async", "sync"})
_SUFFIXES = re.compile(r"(?:async|streamed|streaming|streamraw|autopaging|withresponse|asresponse)+$")

_VERBS: Mapping[str, str] = {
    word: verb
    for verb, words in (
        ("create", "create new"),
        ("list", "list all getall pages"),
        ("retrieve", "retrieve get fetch getone find"),
        ("update", "update modify edit"),
        ("delete", "delete del remove"),
    )
    for word in words.split()
}
#: Methods that are no verb with an object, by the object of their resource.
_METHODS: Mapping[tuple[str, str], str] = {
    (subject, method): operation
    for subject, operation, methods in (
        (
            "run",
            "create_run",
            "stream createandpoll createandstream newandpoll createandprocess createandrun streamraw",
        ),
        ("run", "retrieve_run", "poll pollstatus"),
        ("run", "cancel_run", "cancel"),
        (
            "run",
            "submit_tool_outputs",
            "submittooloutputs submittooloutputsandpoll submittooloutputsstream submittooloutput submittooloutputsraw",
        ),
        (
            "thread",
            "create_thread_and_run",
            "createandrun createandrunpoll createandrunstream newandrun newandrunpoll createandrunandpoll streamrun"
            " createrun",
        ),
        ("run", "create_thread_and_run", "createthreadandrun"),
        ("assistant", "create_assistant", "createversion"),
    )
    for method in methods.split()
}
_OBJECTS = {
    "assistant": "assistant",
    "agent": "assistant",
    "thread": "thread",
    "message": "message",
    "threadmessage": "message",
    "run": "run",
    "threadrun": "run",
    "runstep": "step",
    "threadrunstep": "step",
}
_OPERATION_NAMES = frozenset(operation.name for operation in OPERATIONS)


def _build_flat_methods() -> dict[str, str]:
    """Methods that name their object: `CreateAssistant`, `listRunSteps`, `ThreadCreate`."""
    table: dict[str, str] = {}
    for word, subject in _OBJECTS.items():
        plural = f"{subject}s"
        for name, verb in _VERBS.items():
            operation = f"{verb}_{plural if verb == 'list' else subject}"
            if operation in _OPERATION_NAMES:
                table[f"{name}{word}"] = table[f"{word}{name}"] = operation
            if verb in ("list", "retrieve") and f"list_{plural}" in _OPERATION_NAMES:
                table[f"{name}{word}s"] = table[f"{word}{name}s"] = f"list_{plural}"
    table |= dict.fromkeys(
        [
            "createthreadandrun",
            "createandrunthread",
            "threadandruncreate",
            "createthreadrun",
            "createthreadandprocessrun",
            "createthreadandrunstream",
        ],
        "create_thread_and_run",
    )
    table |= dict.fromkeys(["cancelrun", "runcancel", "cancelthreadrun"], "cancel_run")
    table |= dict.fromkeys(
        [
            "submittooloutputs",
            "submittooloutput",
            "submittooloutputstorun",
            "runssubmittooloutputs",
            "runsubmittooloutputs",
            "submittooloutputstostream",
            "submittooloutputstorunstream",
        ],
        "submit_tool_outputs",
    )
    table |= dict.fromkeys(["createandprocessrun", "createrunstream", "createstream", "createandpollrun"], "create_run")
    return table


FLAT_METHODS: Mapping[str, str] = _build_flat_methods()


def normalise(name: str) -> str:
    """The name without case, underscores and suffixes that say how a call waits."""
    bare = name.lower().replace("_", "").strip("$@?!& ")
    return _SUFFIXES.sub("", bare) or bare


def is_transparent(name: str) -> bool:
    """Whether this part of a chain leads to the same methods."""
    return name in _TRANSPARENT


def split_resource(names: Sequence[str]) -> tuple[str, int] | None:
    """The object of the resource with which normalised names begin, and how many names it has."""
    best: tuple[str, int] | None = None
    path: list[str] = []
    for count, name in enumerate(names, 1):
        if name in _TRANSPARENT:
            continue
        if name not in _RESOURCE_WORDS:
            break
        path.append(name)
        subject = RESOURCES.get(tuple(path))
        if subject is not None:
            best = subject, count
    return best


def find_operations(subject: str, method: str) -> tuple[str, ...]:
    """The operation of a method of a resource; empty for a method that the API does not have."""
    if subject.endswith("file"):
        return ()
    operation = _METHODS.get((subject, method))
    if operation is None and method in _VERBS:
        verb = _VERBS[method]
        operation = f"{verb}_{subject}s" if verb == "list" else f"{verb}_{subject}"
    operation = operation or FLAT_METHODS.get(method)
    return (operation,) if operation in _OPERATION_NAMES else ()


def is_method(name: str) -> bool:
    """Whether a name is a method of some resource, and not a property of an object."""
    return name in _VERBS or name in FLAT_METHODS or any(name == method for _, method in _METHODS)
