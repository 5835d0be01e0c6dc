"""Response objects and output items, with the keys, the order and the defaults of recent recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from threadbridge.ports import IdGenerator, Wire
from threadbridge_adapters.simulator import _encrypted_reasoning as sealing
from threadbridge_adapters.simulator._models import SNAPSHOTS
from threadbridge_adapters.simulator._request import Request
from threadbridge_adapters.simulator._scenarios import (
    Answer,
    Call,
    CodeCall,
    Output,
    Reasoning,
    Refusal,
    SearchCall,
    Text,
)
from threadbridge_adapters.simulator._tokens import argument_pieces, estimate, words
from threadbridge_adapters.simulator._tools import echoed_format, echoed_tool

_TOOL_USAGE: Wire = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}
_BILLING: Wire = {"payer": "developer"}
_ACCESS: Wire = {"cyber": "standard"}
_SUMMARY_IN_FORCE = {"auto": "detailed"}  # recorded for gpt-5 and later


#: Of the ids of items that are not function calls or their outputs.
_PREFIXES = {"reasoning": "rs", "compaction": "cmp", "file_search_call": "fs", "code_interpreter_call": "ci"}


class Produced(NamedTuple):
    """The items of one response, what they cost, and whether the token limit cut them off."""

    items: list[Wire]
    tokens: int
    reasoning_tokens: int
    cut: bool


def begun(request: Request, *, response_id: str, created_at: int) -> Wire:
    """The response before anything was produced: what `response.created` shows."""
    body, family = request.body, request.family
    conversation = {"conversation": {"id": request.conversation_id}} if request.conversation_id else {}
    text = body.get("text") or {}
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
        "prompt_cache_retention": body.get("prompt_cache_retention", family.retention),
        "reasoning": _reasoning(request),
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": body.get("service_tier", "auto"),
        "store": request.store,
        "temperature": float(body.get("temperature", 1.0)),
        "text": {"format": echoed_format(text.get("format")), "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tool_usage": _TOOL_USAGE,
        "tools": [echoed_tool(tool) for tool in request.tools],
        "top_logprobs": 0,
        "top_p": float(body.get("top_p", family.top_p)),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata", {}),
    }


def ended(start: Wire, request: Request, answer: Answer, *, input_tokens: int, now: int, new_id: IdGenerator) -> Wire:
    """The response as the last event and the plain answer show it."""
    produced = produce(request, answer, new_id)
    status = "incomplete" if produced.cut else answer.status
    reason = "max_output_tokens" if produced.cut else answer.reason
    failed = status == "failed"
    return {
        **start,
        "status": status,
        "completed_at": now if status == "completed" else None,
        "error": {"code": answer.error[0], "message": answer.error[1]} if failed and answer.error else None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "output": produced.items,
        "service_tier": start["service_tier"] if failed or start["service_tier"] != "auto" else "default",
        "usage": None if failed else _usage(input_tokens + sum(map(_read, answer.outputs)), produced),
    }


def _read(output: Output) -> int:
    """What the model reads of a tool that the service runs."""
    match output:
        case SearchCall(results=results):
            return sum(estimate(result["text"]) for result in results)
        case CodeCall(outputs=outputs):
            return sum(estimate(each["logs"]) for each in outputs if each["type"] == "logs")
        case _:
            return 0


def plain(response: Wire, *, access: bool) -> Wire:
    """The same response as an answer to a request that is not streamed: it says who pays (recorded)."""
    out: Wire = {}
    for key, value in response.items():
        if key == "background" and access:
            out["access_programs"] = _ACCESS
        out[key] = value
        if key == "background":
            out["billing"] = _BILLING
    return out


def produce(request: Request, answer: Answer, new_id: IdGenerator) -> Produced:
    """The output items of an answer, cut where `max_output_tokens` says so."""
    left = request.body.get("max_output_tokens")
    items: list[Wire] = []
    tokens = reasoning_tokens = 0
    for index, output in enumerate(answer.outputs):
        open_ended = answer.status != "completed" and index == len(answer.outputs) - 1
        fitting, cost, whole = _fit(output, None if left is None else left - tokens)
        if whole or cost:
            items.append(
                _item(fitting, request, new_id, status="completed" if whole and not open_ended else "incomplete")
            )
        tokens += cost
        reasoning_tokens += cost if isinstance(output, Reasoning) else 0
        if not whole:
            return Produced(items, tokens, reasoning_tokens, cut=True)
    return Produced(items, tokens, reasoning_tokens, cut=False)


def _fit(output: Output, left: int | None) -> tuple[Output, int, bool]:
    """As much of the output as the budget allows, what it costs, and whether that is all of it."""
    if isinstance(output, Reasoning):
        fits = left is None or output.tokens <= left
        return output, output.tokens if fits else left or 0, fits
    pieces = _pieces(output)
    if left is None or len(pieces) <= left:
        return output, len(pieces), True
    return _cut(output, "".join(pieces[:left])), left, False


def _pieces(output: Output) -> list[str]:
    """What the model writes, in the pieces it is charged for."""
    match output:
        case Call(arguments=arguments):
            return argument_pieces(arguments)
        case Text(text=text) | Refusal(text=text) | CodeCall(code=text):
            return words(text)
        case _:
            return []


def _cut(output: Output, kept: str) -> Output:
    match output:
        case Call():
            return replace(output, arguments=kept)
        case CodeCall():
            return replace(output, code=kept, outputs=())
        case Text(annotations=annotations):
            return Text(kept, [each for each in annotations if _end_of(each) <= len(kept)])
        case _:
            return Refusal(kept)


def _end_of(annotation: Wire) -> int:
    return int(annotation["index"] if annotation["type"] == "file_citation" else annotation["end_index"])


def _item(output: Output, request: Request, new_id: IdGenerator, *, status: str) -> Wire:
    match output:
        case Reasoning(summary=summary):
            return _reasoning_item(summary, request, new_id)
        case Call(name=name, arguments=arguments, call_id=call_id):
            return {
                "id": new_id("fc"),
                "type": "function_call",
                "status": status,
                "arguments": arguments,
                "call_id": call_id or new_id("call"),
                "name": name,
            }
        case Text(text=text, annotations=annotations):
            content: Wire = {"type": "output_text", "annotations": [*annotations], "logprobs": [], "text": text}
            return _message(content, request, new_id, status)
        case Refusal(text=text):
            return _message({"type": "refusal", "refusal": text}, request, new_id, status)
        case SearchCall(queries=queries, results=results):
            head: Wire = {"id": new_id("fs"), "type": "file_search_call", "status": status, "queries": [*queries]}
            return {**head, "results": [*results] if request.includes("file_search_call.results") else None}
        case CodeCall(code=code, container_id=container_id, outputs=outputs):
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


def _message(content: Wire, request: Request, new_id: IdGenerator, status: str) -> Wire:
    phase = {"phase": "final_answer"} if request.family.phase else {}
    head: Wire = {"id": new_id("msg"), "type": "message", "status": status, "content": [content]}
    return {**head, **phase, "role": "assistant"}


def _reasoning_item(summary: str, request: Request, new_id: IdGenerator) -> Wire:
    item: Wire = {"id": new_id("rs"), "type": "reasoning", "content": []}
    if request.includes_encrypted_reasoning:
        item["encrypted_content"] = sealing.seal(f"{item['id']} {summary}")
    item["summary"] = [{"type": "summary_text", "text": summary}] if summary else []
    return item


def _reasoning(request: Request) -> Wire:
    family, options = request.family, request.body.get("reasoning") or {}
    if not family.efforts:
        return {"context": None, "effort": None, "summary": None}
    summary = options.get("summary") or options.get("generate_summary")
    return {
        "context": options.get("context") or family.context,
        "effort": request.effort,
        "mode": options.get("mode") or "standard",
        "summary": _SUMMARY_IN_FORCE.get(summary, summary) if summary else None,
    }


def _usage(input_tokens: int, produced: Produced) -> Wire:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": produced.tokens,
        "output_tokens_details": {"reasoning_tokens": produced.reasoning_tokens},
        "total_tokens": input_tokens + produced.tokens,
    }


def stored_item(item: Wire, new_id: IdGenerator) -> Wire:
    """An input item as the service keeps and lists it: with id, type, status and content parts (recorded)."""
    kind = item.get("type") or "message"
    if kind == "message":
        parts: list[Any] = _parts(item["content"], "output_text" if item["role"] == "assistant" else "input_text")
        head: Wire = {"id": item.get("id") or new_id("msg"), "type": "message", "status": "completed", "content": parts}
        phase = {"phase": item["phase"]} if item.get("phase") else {}
        return {**head, **phase, "role": item["role"]}
    prefix = _PREFIXES.get(kind, "fc")
    status: Wire = {} if kind in ("reasoning", "compaction") else {"status": item.get("status") or "completed"}
    return {"id": item.get("id") or new_id(prefix), "type": kind, **status} | {
        key: value for key, value in item.items() if key not in ("id", "type", "status")
    }


def _parts(content: Any, kind: str) -> list[Any]:
    if not isinstance(content, str):
        return list(content)
    if kind == "output_text":
        return [{"type": kind, "annotations": [], "logprobs": [], "text": content}]
    return [{"type": kind, "text": content}]


def stored_items(items: Sequence[Wire], new_id: IdGenerator) -> list[Wire]:
    """All of them."""
    return [stored_item(item, new_id) for item in items]
