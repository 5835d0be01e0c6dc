"""One probe for each capability of a profile: the requests, and what the answers mean (S1 to S13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from threadbridge.ports import Wire
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.translation.probe_protocol import (
    Finding,
    ProbeGenerator,
    ProbeOptions,
    ProbeRequest,
    ProbeResponse,
    delete_resource,
    judge_list,
)

_NO_PARAMETERS: Wire = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_FUNCTIONS: tuple[Wire, ...] = tuple(
    {"type": "function", "name": name, "description": what, "parameters": _NO_PARAMETERS, "strict": False}
    for name, what in (("ring", "Rings the bell."), ("knock", "Knocks on the door."))
)
_QUEUED = ("queued", "in_progress")
#: A well-formed ID that no response has.
_UNKNOWN_RESPONSE_ID = "resp_0000000000000000000000000000000000000000000000000000000000"
_SUPPORTED = Finding(is_supported=True, reason="it was asked for, and done")


def probe_stored_responses(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Stores a response, reads it and continues from it; a server that accepts any ID stores nothing (S11)."""
    if not options.sends_store:
        return Finding(is_supported=False, reason="`store` cannot be said")
    stored = yield options.build_request(store=True)
    if stored.error is not None:
        return Finding(is_supported=False, reason=f"`store: true`: {stored.error_text}")
    path = f"/responses/{stored.body.get('id')}"
    again = yield ProbeRequest("GET", path)
    if again.error is not None:
        return Finding(is_supported=False, reason="a response that was to be kept is not found again")
    unknown = yield options.build_request("Go on.", previous_response_id=_UNKNOWN_RESPONSE_ID)
    if unknown.error is None:
        return Finding(is_supported=False, reason="it goes on from a response that never was")
    after = yield options.build_request("Go on.", previous_response_id=stored.body["id"])
    yield from delete_resource(path)
    if after.error is not None:
        return Finding(is_supported=False, reason=f"`previous_response_id`: {after.error_text}")
    return Finding(is_supported=True, reason="a response was kept, found again and gone on from")


def probe_conversations(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Creates a conversation and names it by its ID alone (S1)."""
    conversation = yield ProbeRequest("POST", "/conversations", {})
    if conversation.error is not None or "id" not in conversation.body:
        return Finding(
            is_supported=False, reason=f"`POST /conversations`: {conversation.error_text or 'no id came back'}"
        )
    used = yield options.build_request(conversation=conversation.body["id"])
    yield from delete_resource(f"/conversations/{conversation.body['id']}")
    if used.error is not None:
        return Finding(is_supported=False, reason=f"`conversation`: {used.error_text}")
    return Finding(is_supported=True, reason="one was made, and answered in")


def probe_background(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests a background response, which is answered before it is finished (S7)."""
    more: Wire = {"store": True} if options.sends_store else {}
    started = yield options.build_request(background=True, **more)
    if started.error is not None:
        return Finding(is_supported=False, reason=f"`background: true`: {started.error_text}")
    path = f"/responses/{started.body.get('id')}"
    waits = started.body.get("status") in _QUEUED
    if waits:
        yield ProbeRequest("POST", f"{path}/cancel")
    if more:
        yield from delete_resource(path)
    return (
        _SUPPORTED
        if waits
        else Finding(is_supported=False, reason="the client waits for the whole response all the same")
    )


def probe_files(_options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Lists files."""
    return judge_list((yield ProbeRequest("GET", "/files?limit=1")), "/files")


def probe_input_tokens(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Counts the tokens of a request (S9)."""
    counted = yield ProbeRequest("POST", "/responses/input_tokens", {"model": options.model, "input": "Say ok."})
    if isinstance(counted.body.get("input_tokens"), int):
        return _SUPPORTED
    return Finding(
        is_supported=False, reason=f"`POST /responses/input_tokens`: {counted.error_text or 'no count came back'}"
    )


def probe_forced_tool_choice(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Names one of two functions as the tool choice (S10)."""
    choice = {"type": "function", "name": "knock"}
    said = yield options.build_request(calls=True, tools=list(_FUNCTIONS), tool_choice=choice)
    return _judge_call(said, {"knock"}, "a function that was named")


def probe_required_tool_choice(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requires a function call that the prompt does not suggest (S10)."""
    said = yield options.build_request(calls=True, tools=list(_FUNCTIONS), tool_choice="required")
    return _judge_call(said, {"ring", "knock"}, "a function, which was required,")


def probe_prompt_cache_key(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Sends a prompt cache key."""
    said = yield options.build_request(prompt_cache_key="threadbridge-doctor")
    if said.error is not None:
        return Finding(is_supported=False, reason=f"`prompt_cache_key`: {said.error_text}")
    return _judge_parameter(options)


def probe_compaction(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests compaction of long input."""
    management = [{"type": "compaction", "compact_threshold": 1000}]
    said = yield options.build_request(context_management=management)
    if said.error is not None:
        return Finding(is_supported=False, reason=f"`context_management`: {said.error_text}")
    return _judge_parameter(options)


def probe_encrypted_reasoning(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests encrypted reasoning."""
    if options.never_reasons:
        return Finding(is_supported=None, reason=f"{options.model} does not reason; ask with --model for one that does")
    efforts = [effort for effort in options.efforts if effort != "none"]
    reasoning: Wire = {"reasoning": {"effort": efforts[0]}} if efforts else {}
    said = yield options.build_request(calls=True, include=["reasoning.encrypted_content"], **reasoning)
    if said.error is not None:
        return Finding(is_supported=False, reason=f"`include`: {said.error_text}")
    if any(item.get("encrypted_content") for item in said.body.get("output") or () if item.get("type") == "reasoning"):
        return _SUPPORTED
    return _judge_parameter(options)


_Probe: TypeAlias = Callable[[ProbeOptions], ProbeGenerator[Finding]]


def get_probes() -> Mapping[str, _Probe]:
    """The probes by capability, in the order to run them in. `store_parameter` and `model_list` are known by then."""
    return {
        "stored_responses": probe_stored_responses,
        "conversations": probe_conversations,
        "background": probe_background,
        "files": probe_files,
        **{tool.capability: tool.probe for tool in HOSTED_TOOLS.values() if tool.probe is not None},
        "input_tokens": probe_input_tokens,
        "prompt_cache_key": probe_prompt_cache_key,
        "compaction": probe_compaction,
        "encrypted_reasoning": probe_encrypted_reasoning,
        "forced_tool_choice": probe_forced_tool_choice,
        "required_tool_choice": probe_required_tool_choice,
    }


# -- What answers mean ---------------------------------------------------------------------------------------------


def _judge_call(response: ProbeResponse, names: set[str], what: str) -> Finding:
    if response.error is not None:
        return Finding(is_supported=False, reason=f"`tool_choice`: {response.error_text}")
    called = {item.get("name") for item in response.body.get("output") or () if item.get("type") == "function_call"}
    if called and called <= names:
        return Finding(is_supported=True, reason=f"{what} was called")
    return Finding(is_supported=False, reason=f"{what} was not called")


def _judge_parameter(options: ProbeOptions) -> Finding:
    """An accepted parameter is evidence only where unknown ones are rejected."""
    if options.rejects_unknown_parameters:
        return Finding(is_supported=True, reason="it is accepted, and unknown parameters are not")
    return Finding(is_supported=None, reason="it is accepted, but so is any other parameter")
