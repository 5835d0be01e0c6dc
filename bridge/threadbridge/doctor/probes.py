"""One probe for each capability of a profile: what to ask, and what the answers mean (S1 to S13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from threadbridge.doctor.probe_protocol import Answer, Asking, Dialogue, Finding, Question, removed
from threadbridge.ports import Wire

_NO_PARAMETERS: Wire = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_CALLS: tuple[Wire, ...] = tuple(
    {"type": "function", "name": name, "description": what, "parameters": _NO_PARAMETERS, "strict": False}
    for name, what in (("ring", "Rings the bell."), ("knock", "Knocks on the door."))
)
_QUEUED = ("queued", "in_progress")
#: An id of the right form that nobody was ever given.
_NOBODY = "resp_0000000000000000000000000000000000000000000000000000000000"
_YES = Finding(found=True, why="it was asked for, and done")


def stored_responses(asking: Asking) -> Dialogue[Finding]:
    """Kept, found again and gone on from; a server that goes on from anything keeps nothing (S11)."""
    if not asking.says_store:
        return Finding(found=False, why="`store` cannot be said")
    kept = yield asking.question(store=True)
    if kept.error is not None:
        return Finding(found=False, why=f"`store: true`: {kept.words}")
    path = f"/responses/{kept.body.get('id')}"
    again = yield Question("GET", path)
    if again.error is not None:
        return Finding(found=False, why="a response that was to be kept is not found again")
    of_nobody = yield asking.question("Go on.", previous_response_id=_NOBODY)
    if of_nobody.error is None:
        return Finding(found=False, why="it goes on from a response that never was")
    after = yield asking.question("Go on.", previous_response_id=kept.body["id"])
    yield from removed(path)
    if after.error is not None:
        return Finding(found=False, why=f"`previous_response_id`: {after.words}")
    return Finding(found=True, why="a response was kept, found again and gone on from")


def conversations(asking: Asking) -> Dialogue[Finding]:
    """Made, and named by its id alone (S1)."""
    made = yield Question("POST", "/conversations", {})
    if made.error is not None or "id" not in made.body:
        return Finding(found=False, why=f"`POST /conversations`: {made.words or 'no id came back'}")
    used = yield asking.question(conversation=made.body["id"])
    yield from removed(f"/conversations/{made.body['id']}")
    if used.error is not None:
        return Finding(found=False, why=f"`conversation`: {used.words}")
    return Finding(found=True, why="one was made, and answered in")


def background(asking: Asking) -> Dialogue[Finding]:
    """Answered at once with a response that is not finished (S7)."""
    more: Wire = {"store": True} if asking.says_store else {}
    begun = yield asking.question(background=True, **more)
    if begun.error is not None:
        return Finding(found=False, why=f"`background: true`: {begun.words}")
    path = f"/responses/{begun.body.get('id')}"
    waits = begun.body.get("status") in _QUEUED
    if waits:
        yield Question("POST", f"{path}/cancel")
    if more:
        yield from removed(path)
    return _YES if waits else Finding(found=False, why="the client waits for the whole response all the same")


def files(_asking: Asking) -> Dialogue[Finding]:
    """A list of them."""
    return _listed((yield Question("GET", "/files?limit=1")), "/files")


def file_search(asking: Asking) -> Dialogue[Finding]:
    """A vector store that was made, and the tool that would search it."""
    made = yield Question("POST", "/vector_stores", {"name": "threadbridge doctor"})
    if made.error is not None or "id" not in made.body:
        return Finding(found=False, why=f"`POST /vector_stores`: {made.words or 'no id came back'}")
    tool = {"type": "file_search", "vector_store_ids": [made.body["id"]]}
    shown = yield asking.question(tools=[tool], tool_choice="none")
    yield from removed(f"/vector_stores/{made.body['id']}")
    return _accepted(shown, "the tool")


def code_interpreter(asking: Asking) -> Dialogue[Finding]:
    """Containers, and the tool that would run code in one; none is made."""
    listed = _listed((yield Question("GET", "/containers?limit=1")), "/containers")
    if not listed.found:
        return listed
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    return _accepted((yield asking.question(tools=[tool], tool_choice="none")), "the tool")


def input_tokens(asking: Asking) -> Dialogue[Finding]:
    """A request counted (S9)."""
    counted = yield Question("POST", "/responses/input_tokens", {"model": asking.model, "input": "Say ok."})
    if isinstance(counted.body.get("input_tokens"), int):
        return _YES
    return Finding(found=False, why=f"`POST /responses/input_tokens`: {counted.words or 'no count came back'}")


def forced_tool_choice(asking: Asking) -> Dialogue[Finding]:
    """Of two functions the one that is named is called (S10)."""
    choice = {"type": "function", "name": "knock"}
    said = yield asking.question(calls=True, tools=list(_CALLS), tool_choice=choice)
    return _called(said, {"knock"}, "a function that was named")


def required_tool_choice(asking: Asking) -> Dialogue[Finding]:
    """Any function is called, though nothing calls for one (S10)."""
    said = yield asking.question(calls=True, tools=list(_CALLS), tool_choice="required")
    return _called(said, {"ring", "knock"}, "a function, which was required,")


def prompt_cache_key(asking: Asking) -> Dialogue[Finding]:
    """Prompts that begin alike may be given a name."""
    said = yield asking.question(prompt_cache_key="threadbridge-doctor")
    if said.error is not None:
        return Finding(found=False, why=f"`prompt_cache_key`: {said.words}")
    return _taken(asking)


def compaction(asking: Asking) -> Dialogue[Finding]:
    """The service is let to make a summary of what is long."""
    management = [{"type": "compaction", "compact_threshold": 1000}]
    said = yield asking.question(context_management=management)
    if said.error is not None:
        return Finding(found=False, why=f"`context_management`: {said.words}")
    return _taken(asking)


def encrypted_reasoning(asking: Asking) -> Dialogue[Finding]:
    """Reasoning comes encrypted where it is asked for."""
    if asking.never_reasons:
        return Finding(found=None, why=f"{asking.model} does not reason; ask with --model for one that does")
    efforts = [effort for effort in asking.efforts if effort != "none"]
    reasoning: Wire = {"reasoning": {"effort": efforts[0]}} if efforts else {}
    said = yield asking.question(calls=True, include=["reasoning.encrypted_content"], **reasoning)
    if said.error is not None:
        return Finding(found=False, why=f"`include`: {said.words}")
    if any(item.get("encrypted_content") for item in said.body.get("output") or () if item.get("type") == "reasoning"):
        return _YES
    return _taken(asking)


#: Asked in this order, once `store_parameter` and `model_list` are known.
PROBES: Mapping[str, Callable[[Asking], Dialogue[Finding]]] = {
    "stored_responses": stored_responses,
    "conversations": conversations,
    "background": background,
    "files": files,
    "file_search": file_search,
    "code_interpreter": code_interpreter,
    "input_tokens": input_tokens,
    "prompt_cache_key": prompt_cache_key,
    "compaction": compaction,
    "encrypted_reasoning": encrypted_reasoning,
    "forced_tool_choice": forced_tool_choice,
    "required_tool_choice": required_tool_choice,
}


# -- What answers mean ---------------------------------------------------------------------------------------------


def _listed(answer: Answer, path: str) -> Finding:
    if isinstance(answer.body.get("data"), list):
        return Finding(found=True, why=f"`GET {path}` is answered")
    return Finding(found=False, why=f"`GET {path}`: {answer.words or 'no list came back'}")


def _accepted(answer: Answer, what: str) -> Finding:
    if answer.error is not None:
        return Finding(found=False, why=f"{what}: {answer.words}")
    return Finding(found=True, why=f"{what} is accepted")


def _called(answer: Answer, names: set[str], what: str) -> Finding:
    if answer.error is not None:
        return Finding(found=False, why=f"`tool_choice`: {answer.words}")
    called = {item.get("name") for item in answer.body.get("output") or () if item.get("type") == "function_call"}
    if called and called <= names:
        return Finding(found=True, why=f"{what} was called")
    return Finding(found=False, why=f"{what} was not called")


def _taken(asking: Asking) -> Finding:
    """Accepting a parameter proves something only where unknown ones are refused."""
    if asking.refuses_unknown:
        return Finding(found=True, why="it is accepted, and unknown parameters are not")
    return Finding(found=None, why="it is accepted, but so is any other parameter")
