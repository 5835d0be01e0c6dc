"""Streams of the Responses API, made by hand: one of every kind the translator has to do with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from threadbridge.translation.stream_translator import TurnTranslator

USAGE: Any = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 37,
}
WIRE_USAGE: Any = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "prompt_token_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
NO_USAGE: Any = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
    "prompt_token_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}

RUN: Any = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1000,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "status": "in_progress",
    "started_at": 1001,
    "expires_at": 1600,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "required_action": None,
    "last_error": None,
    "model": "gpt-4o",
    "instructions": "Be brief.",
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "reasoning_effort": None,
    "max_completion_tokens": None,
    "max_prompt_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "incomplete_details": None,
    "usage": None,
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}

NOW = 1005


def translator(run: Any = RUN, **options: Any) -> TurnTranslator:
    """A translator whose ids count up and whose clock stands still."""
    numbers = count(1)
    return TurnTranslator(run, new_id=lambda prefix: f"{prefix}_{next(numbers)}", now=lambda: NOW + 0.9, **options)


# -- Items ---------------------------------------------------------------------------------------------------------


def output_text(text: str) -> Any:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> Any:
    return {"type": "refusal", "refusal": text}


def message(*parts: Any, id: str = "msg_up", status: str | None = "completed") -> Any:
    return {"id": id, "type": "message", "status": status, "role": "assistant", "content": list(parts)}


def call(number: int = 1, *, name: str = "look", arguments: str = "{}", status: str | None = "completed") -> Any:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": f"call_{number}",
        "name": name,
    }


def reasoning(number: int = 1) -> Any:
    return {"id": f"rs_{number}", "type": "reasoning", "summary": [], "encrypted_content": f"secret {number}"}


def search() -> Any:
    return {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}


def search_result(file: str, name: str, text: str, *, score: float = 0.5, **attributes: str) -> Any:
    return {"file_id": file, "filename": name, "score": score, "text": text, "attributes": attributes}


def file_search(*results: Any, number: int = 1) -> Any:
    return {
        "id": f"fs_{number}",
        "type": "file_search_call",
        "status": "completed",
        "queries": ["where"],
        "results": list(results),
    }


def code(text: str, *outputs: Any, number: int = 1) -> Any:
    return {
        "id": f"ci_{number}",
        "type": "code_interpreter_call",
        "status": "completed",
        "code": text,
        "container_id": "cntr_1",
        "outputs": list(outputs),
    }


def logs(text: str) -> Any:
    return {"type": "logs", "logs": text}


def image_output(content: bytes) -> Any:
    return {"type": "image", "url": f"data:image/png;base64,{b64encode(content).decode()}"}


def file_citation(file_id: str, name: str, index: int) -> Any:
    return {"type": "file_citation", "file_id": file_id, "filename": name, "index": index}


def container_citation(file_id: str, name: str, start: int = 0, end: int = 0) -> Any:
    return {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "file_id": file_id,
        "filename": name,
        "start_index": start,
        "end_index": end,
    }


def cited_text(text: str, *citations: Any) -> Any:
    return {**output_text(text), "annotations": list(citations)}


# -- Events --------------------------------------------------------------------------------------------------------


def created_events() -> list[Any]:
    response: Any = {
        "id": "resp_1",
        "model": "gpt-4o-2024-08-06",
        "status": "in_progress",
        "output": [],
        "usage": None,
    }
    return [{"type": "response.created", "response": response}, {"type": "response.in_progress", "response": response}]


def item_added(index: int, item: Any) -> Any:
    emptied = _EMPTY_FIELDS.get(item["type"], {})
    bare = {**item, "status": "in_progress", **emptied}
    return {"type": "response.output_item.added", "output_index": index, "item": bare}


def item_done(index: int, item: Any) -> Any:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


_EMPTY_FIELDS: Mapping[str, Any] = {
    "message": {"content": []},
    "function_call": {"arguments": ""},
    "file_search_call": {"queries": [], "results": None},
    "code_interpreter_call": {"code": "", "outputs": None},
}


def code_delta(index: int, delta: str, *, number: int = 1) -> Any:
    return _delta("response.code_interpreter_call_code.delta", index, delta, f"ci_{number}")


def annotation(index: int, number: int, cited: Any, *, part: int = 0, id: str = "msg_up") -> Any:
    where = {"output_index": index, "content_index": part, "item_id": id, "annotation_index": number}
    return {"type": "response.output_text.annotation.added", **where, "annotation": cited}


def text_delta(index: int, delta: str, *, part: int = 0, id: str = "msg_up") -> Any:
    return _delta("response.output_text.delta", index, delta, id) | {"content_index": part, "logprobs": []}


def refusal_delta(index: int, delta: str, *, part: int = 0, id: str = "msg_up") -> Any:
    return _delta("response.refusal.delta", index, delta, id) | {"content_index": part}


def arguments_delta(index: int, delta: str, *, number: int = 1) -> Any:
    return _delta("response.function_call_arguments.delta", index, delta, f"fc_{number}")


def _delta(kind: str, index: int, delta: str, item_id: str) -> Any:
    return {"type": kind, "output_index": index, "item_id": item_id, "delta": delta, "obfuscation": "xyz"}


def final_event(output: Iterable[Any], *, status: str = "completed", **fields: Any) -> Any:
    response = {"id": "resp_1", "model": "gpt-4o-2024-08-06", "status": status, "output": list(output), "usage": USAGE}
    return {"type": f"response.{status}", "response": {**response, **fields}}


def message_stream(index: int, *fragments: str, id: str = "msg_up") -> list[Any]:
    """A message of one text part, streamed in full."""
    item = message(output_text("".join(fragments)), id=id)
    part = {"output_index": index, "content_index": 0, "item_id": id}
    return [
        item_added(index, item),
        {"type": "response.content_part.added", **part, "part": output_text("")},
        *(text_delta(index, fragment, id=id) for fragment in fragments),
        {"type": "response.output_text.done", **part, "text": "".join(fragments)},
        {"type": "response.content_part.done", **part, "part": item["content"][0]},
        item_done(index, item),
    ]


def call_stream(index: int, *fragments: str, number: int = 1) -> list[Any]:
    """A function call, streamed in full."""
    item = call(number, arguments="".join(fragments))
    return [
        item_added(index, item),
        *(arguments_delta(index, fragment, number=number) for fragment in fragments),
        {"type": "response.function_call_arguments.done", "output_index": index, "arguments": item["arguments"]},
        item_done(index, item),
    ]


def response_stream(*streams: Sequence[Any]) -> list[Any]:
    """Complete items, one after another, and the end that repeats them."""
    events = [event for stream in streams for event in stream]
    output = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return [*created_events(), *events, final_event(output)]


_HELLO = message(output_text("Hello you"))
_CUT = message(output_text("Hel"), status="incomplete")
_CUT_CALL = call(arguments='{"ci', status="incomplete")
_TOKENS = {"reason": "max_output_tokens"}

_SEARCH = file_search(search_result("file-a", "a.txt", "Alpha"), search_result("file-b", "b.txt", "Beta"))
_CITED = message(cited_text("It is 𝄞 B.", file_citation("file-b", "b.txt", 9), file_citation("file-a", "a.txt", 10)))
_DRAWING = code("plot()", logs("done"), image_output(b"png"))
_DRAWN = message(
    cited_text(
        "See sandbox:/mnt/data/a.csv!",
        container_citation("cfile_1", "cfile_1.png"),
        container_citation("cfile_2", "a.csv", 4, 27),
    )
)


def file_search_stream(index: int, item: Any) -> list[Any]:
    """A search, streamed in full."""
    where = {"output_index": index, "item_id": item["id"]}
    words = ("in_progress", "searching", "completed")
    states = [{"type": f"response.file_search_call.{word}", **where} for word in words]
    return [item_added(index, item), *states, item_done(index, item)]


def code_stream(index: int, item: Any, *fragments: str, number: int = 1) -> list[Any]:
    """A call of the code interpreter, streamed in full."""
    where = {"output_index": index, "item_id": item["id"]}
    return [
        item_added(index, item),
        {"type": "response.code_interpreter_call.in_progress", **where},
        *(code_delta(index, fragment, number=number) for fragment in fragments),
        {"type": "response.code_interpreter_call_code.done", **where, "code": item["code"]},
        {"type": "response.code_interpreter_call.interpreting", **where},
        {"type": "response.code_interpreter_call.completed", **where},
        item_done(index, item),
    ]


def cited_message_stream(index: int) -> list[Any]:
    """A message with two citations, streamed in full, each behind the words it belongs to."""
    first, second = _CITED["content"][0]["annotations"]
    return [
        item_added(index, _CITED),
        text_delta(index, "It is 𝄞"),
        text_delta(index, " B"),
        annotation(index, 0, first),
        text_delta(index, "."),
        annotation(index, 1, second),
        item_done(index, _CITED),
    ]


def illustrated_message_stream(index: int) -> list[Any]:
    """A message with a drawing and a file, streamed in full: these citations come last."""
    text = _DRAWN["content"][0]["text"]
    cited = enumerate(_DRAWN["content"][0]["annotations"])
    return [
        item_added(index, _DRAWN),
        text_delta(index, text[:9]),
        text_delta(index, text[9:]),
        *(annotation(index, number, citation) for number, citation in cited),
        item_done(index, _DRAWN),
    ]


#: One stream of every kind.
STREAMS: Mapping[str, list[Any]] = {
    "text": response_stream(message_stream(0, "Hel", "lo", "!")),
    "refusal": response_stream(
        [
            item_added(0, _HELLO),
            refusal_delta(0, "I "),
            refusal_delta(0, "won't"),
            item_done(0, message(refusal_part("I won't"))),
        ]
    ),
    "text and refusal": response_stream(
        [
            item_added(0, _HELLO),
            text_delta(0, "Well"),
            refusal_delta(0, "no", part=1),
            item_done(0, message(output_text("Well"), refusal_part("no"))),
        ]
    ),
    "two messages": response_stream(message_stream(0, "One"), message_stream(1, "Tw", "o", id="msg_up2")),
    "call": response_stream(call_stream(0, '{"ci', 'ty": 1}')),
    "call without arguments": response_stream(call_stream(0)),
    "parallel calls": response_stream(call_stream(0, "{", "}"), call_stream(1, '{"a"', ": 2}", number=2)),
    "text, then call": response_stream(message_stream(0, "Let me ", "look"), call_stream(1, "{}")),
    "call, then text": response_stream(call_stream(0, "{}"), message_stream(1, "Wait")),
    "call, text, call": response_stream(
        call_stream(0, "{}"), message_stream(1, "Wait"), call_stream(2, "{}", number=2)
    ),
    "reasoning, then text": response_stream([item_done(0, reasoning())], message_stream(1, "Hm")),
    "reasoning, then call": response_stream([item_done(0, reasoning())], call_stream(1, "{}")),
    "search, then text": response_stream([item_done(0, search())], message_stream(1, "Found")),
    "file search": response_stream(file_search_stream(0, _SEARCH), cited_message_stream(1)),
    "file search never added": response_stream([item_done(0, _SEARCH)], cited_message_stream(1)),
    "file search without an answer": response_stream(file_search_stream(0, _SEARCH)),
    "file search, then call": response_stream(file_search_stream(0, _SEARCH), call_stream(1, "{}")),
    "two searches": response_stream(
        file_search_stream(0, _SEARCH), file_search_stream(1, file_search(number=2)), message_stream(2, "No")
    ),
    "two searches at once": response_stream(
        [
            item_added(0, _SEARCH),
            item_added(1, file_search(number=2)),
            item_done(0, _SEARCH),
            item_done(1, file_search(number=2)),
        ],
        message_stream(2, "No"),
    ),
    "code": response_stream(
        message_stream(0, "Well", id="msg_up2"), code_stream(1, _DRAWING, "plo", "t()"), illustrated_message_stream(2)
    ),
    "code, text, code": response_stream(
        code_stream(0, _DRAWING, "plot()"),
        message_stream(1, "Hm"),
        code_stream(2, code("2", logs("2"), number=2), "2", number=2),
        message_stream(3, "Two", id="msg_up2"),
    ),
    "code and call": response_stream(code_stream(0, _DRAWING, "plot()"), call_stream(1, "{}")),
    "code never streamed": response_stream([item_done(0, _DRAWING), item_done(1, _DRAWN)]),
    "incomplete code": [
        *created_events(),
        item_added(0, _DRAWING),
        code_delta(0, "plo"),
        final_event([{**code("plo"), "status": "incomplete"}], status="incomplete", incomplete_details=_TOKENS),
    ],
    "empty message": response_stream([item_added(0, _HELLO), item_done(0, message())]),
    "nothing": response_stream(),
    "only reasoning": response_stream([item_done(0, reasoning())]),
    "incomplete text": [
        *created_events(),
        item_added(0, _HELLO),
        text_delta(0, "Hel"),
        item_done(0, _CUT),
        final_event([_CUT], status="incomplete", incomplete_details=_TOKENS),
    ],
    "incomplete after text": [
        *created_events(),
        *message_stream(0, "Hello"),
        final_event([message(output_text("Hello"))], status="incomplete", incomplete_details=_TOKENS),
    ],
    "filtered": [
        *created_events(),
        item_added(0, _HELLO),
        text_delta(0, "Hel"),
        final_event([_CUT], status="incomplete", incomplete_details={"reason": "content_filter"}),
    ],
    "incomplete call": [
        *created_events(),
        *message_stream(0, "Let me"),
        item_added(1, call()),
        arguments_delta(1, '{"ci'),
        item_done(1, _CUT_CALL),
        final_event([message(output_text("Let me")), _CUT_CALL], status="incomplete", incomplete_details=_TOKENS),
    ],
    "call, then incomplete text": [
        *created_events(),
        *call_stream(0, "{}"),
        item_added(1, _HELLO),
        text_delta(1, "Hel"),
        final_event([call(), _CUT], status="incomplete", incomplete_details=_TOKENS),
    ],
    "incomplete by its own word": [
        *created_events(),
        *message_stream(0, "Hello"),
        {**final_event([], status="incomplete", incomplete_details={"reason": "length"}), "type": "response.completed"},
    ],
    "failed": [
        *created_events(),
        item_added(0, _HELLO),
        text_delta(0, "Hel"),
        final_event([], status="failed", usage=None, error={"code": "rate_limit_exceeded", "message": "Slow down."}),
    ],
    "error": [
        *created_events(),
        item_added(0, call()),
        {"type": "error", "error": {"code": "server_error", "message": "Ouch."}},
        final_event([], status="failed", usage=None, error={"code": "server_error", "message": "Ouch."}),
    ],
    "message never added": [
        *created_events(),
        text_delta(0, "Hello"),
        text_delta(0, " you"),
        item_done(0, _HELLO),
        final_event([_HELLO]),
    ],
    "message only done": [*created_events(), item_done(0, _HELLO), final_event([_HELLO])],
    "message never done": [*created_events(), item_added(0, _HELLO), text_delta(0, "Hello"), final_event([_HELLO])],
    "call never added": [*created_events(), arguments_delta(0, "{}"), item_done(0, call()), final_event([call()])],
    "call never done": [*created_events(), item_added(0, call()), arguments_delta(0, "{"), final_event([call()])],
    "call never done nor in the output": [
        *created_events(),
        item_added(0, call()),
        arguments_delta(0, "{}"),
        final_event([]),
    ],
    "nothing streamed": [*created_events(), final_event([reasoning(), _HELLO, call(1), call(2, arguments='{"a": 1}')])],
}
