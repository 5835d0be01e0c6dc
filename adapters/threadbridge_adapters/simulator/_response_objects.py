"""Response objects and output items, with the keys, the order and the defaults of recent recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from threadbridge.api_types import JsonObject
from threadbridge.ports import IdGenerator
from threadbridge_adapters.simulator._models import SNAPSHOTS
from threadbridge_adapters.simulator._response_request import ResponseRequest
from threadbridge_adapters.simulator._scenarios import (
    FunctionCall,
    Output,
    PerformedCode,
    PerformedFileSearch,
    Reasoning,
    RefusalMessage,
    ScriptedResponse,
    TextMessage,
)
from threadbridge_adapters.simulator._tokens_and_compaction import (
    estimate_tokens,
    make_encrypted_content,
    split_arguments,
    split_words,
)
from threadbridge_adapters.simulator._tool_validation import echo_format, echo_tool
from threadbridge_adapters.simulator._validators import EMPTY_OBJECT

_TOOL_USAGE: JsonObject = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}
_BILLING: JsonObject = {"payer": "developer"}
_ACCESS_PROGRAMS: JsonObject = {"cyber": "standard"}
_EFFECTIVE_SUMMARY = {"auto": "detailed"}  # recorded for gpt-5 and later
#: Of the ids of items that are not function calls or their outputs.
_ID_PREFIXES = {"reasoning": "rs", "compaction": "cmp", "file_search_call": "fs", "code_interpreter_call": "ci"}


class OutputItems(NamedTuple):
    """The items of one response, their tokens, and whether the token limit truncated them."""

    items: list[JsonObject]
    tokens: int
    reasoning_tokens: int
    is_cut_off: bool


def make_initial_response(request: ResponseRequest, *, response_id: str, created_at: int) -> JsonObject:
    """The response without output, as in `response.created`."""
    body, traits = request.body, request.traits
    conversation = {"conversation": {"id": request.conversation_id}} if request.conversation_id else {}
    text = body.get("text") or EMPTY_OBJECT
    reasoning: JsonObject = {"context": None, "effort": None, "summary": None}
    if traits.efforts:
        options = body.get("reasoning") or EMPTY_OBJECT
        summary = options.get("summary") or options.get("generate_summary")
        reasoning = {
            "context": options.get("context") or traits.reasoning_context,
            "effort": request.effort,
            "mode": options.get("mode") or "standard",
            "summary": _EFFECTIVE_SUMMARY.get(summary, summary) if summary else None,
        }
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": request.background,
        "completed_at": None,
        **conversation,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": SNAPSHOTS.get(request.model, request.model),
        "moderation": None,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": body.get("prompt_cache_retention", traits.cache_retention),
        "reasoning": reasoning,
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": body.get("service_tier", "auto"),
        "store": request.store,
        "temperature": float(body.get("temperature", 1.0)),
        "text": {"format": echo_format(text.get("format")), "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tool_usage": _TOOL_USAGE,
        "tools": [echo_tool(tool) for tool in request.tools],
        "top_logprobs": 0,
        "top_p": float(body.get("top_p", traits.default_top_p)),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata", {}),
    }


def make_final_response(
    initial: JsonObject,
    request: ResponseRequest,
    script: ScriptedResponse,
    *,
    input_tokens: int,
    now: int,
    new_id: IdGenerator,
) -> JsonObject:
    """The response as in the last event and in the plain response."""
    output = make_output_items(request, script, new_id)
    # the model also reads the results of its hosted tools
    results = (result for each in script.outputs if isinstance(each, PerformedFileSearch) for result in each.results)
    logs = (
        result["logs"]
        for each in script.outputs
        if isinstance(each, PerformedCode)
        for result in each.outputs
        if result["type"] == "logs"
    )
    input_tokens += sum(estimate_tokens(result["text"]) for result in results) + sum(map(estimate_tokens, logs))
    status = "incomplete" if output.is_cut_off else script.status
    reason = "max_output_tokens" if output.is_cut_off else script.reason
    failed = status == "failed"
    return {
        **initial,
        "status": status,
        "completed_at": now if status == "completed" else None,
        "error": {"code": script.error[0], "message": script.error[1]} if failed and script.error else None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "output": output.items,
        "service_tier": initial["service_tier"] if failed or initial["service_tier"] != "auto" else "default",
        "usage": None
        if failed
        else {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
            "output_tokens": output.tokens,
            "output_tokens_details": {"reasoning_tokens": output.reasoning_tokens},
            "total_tokens": input_tokens + output.tokens,
        },
    }


def to_plain_response(response: JsonObject, *, names_access_programs: bool) -> JsonObject:
    """The same response to a request that is not streamed, with the `billing` field (recorded)."""
    out: JsonObject = {}
    for key, value in response.items():
        if key == "background" and names_access_programs:
            out["access_programs"] = _ACCESS_PROGRAMS
        out[key] = value
        if key == "background":
            out["billing"] = _BILLING
    return out


def make_output_items(request: ResponseRequest, script: ScriptedResponse, new_id: IdGenerator) -> OutputItems:
    """The output items of a response, truncated at `max_output_tokens`."""
    max_tokens = request.body.get("max_output_tokens")
    items: list[JsonObject] = []
    tokens = reasoning_tokens = 0
    for index, output in enumerate(script.outputs):
        is_interrupted = script.status != "completed" and index == len(script.outputs) - 1
        fitted_output, cost, is_complete = _fit_output(output, None if max_tokens is None else max_tokens - tokens)
        if is_complete or cost:
            status = "completed" if is_complete and not is_interrupted else "incomplete"
            items.append(_make_item(fitted_output, request, new_id, status=status))
        tokens += cost
        reasoning_tokens += cost if isinstance(output, Reasoning) else 0
        if not is_complete:
            return OutputItems(items, tokens, reasoning_tokens, is_cut_off=True)
    return OutputItems(items, tokens, reasoning_tokens, is_cut_off=False)


def _fit_output(output: Output, budget: int | None) -> tuple[Output, int, bool]:
    """The output within the token budget, its tokens, and whether it is complete."""
    if isinstance(output, Reasoning):
        fits = budget is None or output.tokens <= budget
        return output, output.tokens if fits else budget or 0, fits
    match output:
        case FunctionCall(arguments=arguments):
            pieces = split_arguments(arguments)
        case TextMessage(text=text) | RefusalMessage(text=text) | PerformedCode(code=text):
            pieces = split_words(text)
        case _:
            pieces = []
    if budget is None or len(pieces) <= budget:
        return output, len(pieces), True
    prefix = "".join(pieces[:budget])
    match output:
        case FunctionCall():
            cut: Output = replace(output, arguments=prefix)
        case PerformedCode():
            cut = replace(output, code=prefix, outputs=())
        case TextMessage(annotations=annotations):
            # a file citation has an index, other annotations have an end
            cut = TextMessage(
                prefix,
                [
                    each
                    for each in annotations
                    if each["index" if each["type"] == "file_citation" else "end_index"] <= len(prefix)
                ],
            )
        case _:
            cut = RefusalMessage(prefix)
    return cut, budget, False


def _make_item(output: Output, request: ResponseRequest, new_id: IdGenerator, *, status: str) -> JsonObject:
    match output:
        case Reasoning(summary=summary):
            item: JsonObject = {"id": new_id("rs"), "type": "reasoning", "content": []}
            if request.includes_encrypted_reasoning:
                item["encrypted_content"] = make_encrypted_content(f"{item['id']} {summary}")
            item["summary"] = [{"type": "summary_text", "text": summary}] if summary else []
            return item
        case FunctionCall(name=name, arguments=arguments, call_id=call_id):
            return {
                "id": new_id("fc"),
                "type": "function_call",
                "status": status,
                "arguments": arguments,
                "call_id": call_id or new_id("call"),
                "name": name,
            }
        case TextMessage(text=text, annotations=annotations):
            content: JsonObject = {"type": "output_text", "annotations": [*annotations], "logprobs": [], "text": text}
            return _make_message_item(content, request, new_id, status)
        case RefusalMessage(text=text):
            return _make_message_item({"type": "refusal", "refusal": text}, request, new_id, status)
        case PerformedFileSearch(queries=queries, results=results):
            head: JsonObject = {"id": new_id("fs"), "type": "file_search_call", "status": status, "queries": [*queries]}
            return {**head, "results": [*results] if request.includes("file_search_call.results") else None}
        case PerformedCode(code=code, container_id=container_id, outputs=outputs):
            return {
                "id": new_id("ci"),
                "type": "code_interpreter_call",
                "status": status,
                "code": code,
                "container_id": container_id,
                "outputs": [*outputs] if request.includes("code_interpreter_call.outputs") else None,
            }
        case _:
            raise TypeError(f"{output} was not performed")


def _make_message_item(content: JsonObject, request: ResponseRequest, new_id: IdGenerator, status: str) -> JsonObject:
    phase = {"phase": "final_answer"} if request.traits.has_phase else {}
    head: JsonObject = {"id": new_id("msg"), "type": "message", "status": status, "content": [content]}
    return {**head, **phase, "role": "assistant"}


def to_stored_item(item: JsonObject, new_id: IdGenerator) -> JsonObject:
    """An input item as the service stores and lists it: with id, type, status and content parts (recorded)."""
    kind = item.get("type") or "message"
    if kind == "message":
        content: str | list[JsonObject] = item["content"]
        if isinstance(content, str) and item["role"] == "assistant":
            content = [{"type": "output_text", "annotations": [], "logprobs": [], "text": content}]
        elif isinstance(content, str):
            content = [{"type": "input_text", "text": content}]
        head: JsonObject = {
            "id": item.get("id") or new_id("msg"),
            "type": "message",
            "status": "completed",
            "content": [*content],
        }
        phase = {"phase": item["phase"]} if item.get("phase") else {}
        return {**head, **phase, "role": item["role"]}
    prefix = _ID_PREFIXES.get(kind, "fc")
    status: JsonObject = {} if kind in ("reasoning", "compaction") else {"status": item.get("status") or "completed"}
    return {"id": item.get("id") or new_id(prefix), "type": kind, **status} | {
        key: value for key, value in item.items() if key not in ("id", "type", "status")
    }


def to_stored_items(items: Sequence[JsonObject], new_id: IdGenerator) -> list[JsonObject]:
    """Input items as the service stores and lists them."""
    return [to_stored_item(item, new_id) for item in items]
