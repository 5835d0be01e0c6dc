"""One probe for each capability of a profile: its requests, and how their responses are judged (S1 to S13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from threadbridge.api_types import JsonObject
from threadbridge.ports import build_path
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

_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_FUNCTIONS: Sequence[JsonObject] = tuple(
    {"type": "function", "name": name, "description": what, "parameters": _NO_PARAMETERS, "strict": False}
    for name, what in (("ring", "Rings the bell."), ("knock", "Knocks on the door."))
)
_QUEUED = ("queued", "in_progress")
#: A well-formed ID that no response has.
_UNKNOWN_RESPONSE_ID = "resp_0000000000000000000000000000000000000000000000000000000000"
_SUPPORTED = Finding(is_supported=True, reason="a request for it succeeded")


def probe_stored_responses(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Stores a response, reads it and continues from it; a server that accepts any ID stores nothing (S11)."""
    if not options.sends_store:
        return Finding(is_supported=False, reason="`store` is rejected")
    stored = yield options.build_request(store=True)
    if stored.error is not None:
        return Finding(is_supported=False, reason=f"`store: true`: {stored.error_text}")
    path = build_path("responses", str(stored.body.get("id")))
    again = yield ProbeRequest("GET", path)
    if again.error is not None:
        return Finding(is_supported=False, reason="a stored response cannot be retrieved")
    unknown = yield options.build_request("Go on.", previous_response_id=_UNKNOWN_RESPONSE_ID)
    if unknown.error is None:
        return Finding(is_supported=False, reason="it accepts the id of a response that does not exist")
    after = yield options.build_request("Go on.", previous_response_id=stored.body["id"])
    yield from delete_resource(path)
    if after.error is not None:
        return Finding(is_supported=False, reason=f"`previous_response_id`: {after.error_text}")
    return Finding(is_supported=True, reason="a response was stored, retrieved and continued")


def probe_conversations(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Creates a conversation and names it by its ID alone (S1)."""
    conversation = yield ProbeRequest("POST", "/conversations", {})
    if conversation.error is not None or "id" not in conversation.body:
        return Finding(
            is_supported=False, reason=f"`POST /conversations`: {conversation.error_text or 'the response has no id'}"
        )
    used = yield options.build_request(conversation=conversation.body["id"])
    yield from delete_resource(build_path("conversations", str(conversation.body["id"])))
    if used.error is not None:
        return Finding(is_supported=False, reason=f"`conversation`: {used.error_text}")
    return Finding(is_supported=True, reason="a conversation was created and used")


def probe_background(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests a background response, which is answered before it is finished (S7)."""
    more: JsonObject = {"store": True} if options.sends_store else {}
    started = yield options.build_request(background=True, **more)
    if started.error is not None:
        return Finding(is_supported=False, reason=f"`background: true`: {started.error_text}")
    path = build_path("responses", str(started.body.get("id")))
    waits = started.body.get("status") in _QUEUED
    if waits:
        yield ProbeRequest("POST", f"{path}/cancel")
    if more:
        yield from delete_resource(path)
    return (
        _SUPPORTED
        if waits
        else Finding(is_supported=False, reason="the response is complete before the request returns")
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
        is_supported=False,
        reason=f"`POST /responses/input_tokens`: {counted.error_text or 'the response has no count'}",
    )


def probe_forced_tool_choice(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Names one of two functions as the tool choice (S10)."""
    choice = {"type": "function", "name": "knock"}
    response = yield options.build_request(calls=True, tools=list(_FUNCTIONS), tool_choice=choice)
    return _judge_call(response, {"knock"}, "the named function")


def probe_required_tool_choice(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requires a function call that the prompt does not suggest (S10)."""
    response = yield options.build_request(calls=True, tools=list(_FUNCTIONS), tool_choice="required")
    return _judge_call(response, {"ring", "knock"}, "a required function")


def probe_prompt_cache_key(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Sends a prompt cache key."""
    response = yield options.build_request(prompt_cache_key="threadbridge-doctor")
    if response.error is not None:
        return Finding(is_supported=False, reason=f"`prompt_cache_key`: {response.error_text}")
    return _judge_parameter(options)


def probe_compaction(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests compaction of long input."""
    management = [{"type": "compaction", "compact_threshold": 1000}]
    response = yield options.build_request(context_management=management)
    if response.error is not None:
        return Finding(is_supported=False, reason=f"`context_management`: {response.error_text}")
    return _judge_parameter(options)


def probe_encrypted_reasoning(options: ProbeOptions) -> ProbeGenerator[Finding]:
    """Requests encrypted reasoning."""
    if options.never_reasons:
        return Finding(is_supported=None, reason=f"{options.model} does not reason; name one that does with --model")
    efforts = [effort for effort in options.efforts if effort != "none"]
    reasoning: JsonObject = {"reasoning": {"effort": efforts[0]}} if efforts else {}
    response = yield options.build_request(calls=True, include=["reasoning.encrypted_content"], **reasoning)
    if response.error is not None:
        return Finding(is_supported=False, reason=f"`include`: {response.error_text}")
    if any(
        item.get("encrypted_content") for item in response.body.get("output") or () if item.get("type") == "reasoning"
    ):
        return _SUPPORTED
    return _judge_parameter(options)


_Probe: TypeAlias = Callable[[ProbeOptions], ProbeGenerator[Finding]]


def get_probes() -> Mapping[str, _Probe]:
    """The probes by capability, in the order of their execution. `store_parameter` and `model_list` need none."""
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


# -- Judging responses ---------------------------------------------------------------------------------------------


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
        return Finding(is_supported=True, reason="it is accepted, and unknown parameters are rejected")
    return Finding(is_supported=None, reason="it is accepted, but so are unknown parameters")
