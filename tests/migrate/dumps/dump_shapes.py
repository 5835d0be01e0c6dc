"""Dumps as people have them, one for every shape, with the conversation that each of them holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from threadbridge.api_types import JsonObject

#: Role and text of each message, oldest first.
Talk = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Dump:
    """A dump: what writes it, the threads that are in it, and their grade. A thread id that ends with * is derived."""

    write: Callable[[Path], object]
    threads: Mapping[str, Talk]
    grade: str = "text"
    missing: Sequence[str] = ()
    problems: int = 0


def make_message(thread_id: str, number: int, role: str, text: str, **changes: object) -> JsonObject:
    return {
        "id": f"msg_{thread_id}_{number}",
        "object": "thread.message",
        "created_at": 1700000000 + number,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "attachments": [],
        "metadata": {},
        **changes,
    }


def write_json(value: object) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(orjson.dumps(value))


def write_lines(*values: object) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(b"".join(orjson.dumps(value) + b"\n" for value in values))


def write_text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, "utf-8")


def write_sqlite(script: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.executescript(script)

    return write


TALK: Talk = [("user", "Is it Tuesday?"), ("assistant", "It is.")]


def make_messages(thread_id: str, **changes: object) -> list[JsonObject]:
    return [make_message(thread_id, n, role, text, **changes) for n, (role, text) in enumerate(TALK)]


def _make_page(thread_id: str, *, has_more: bool = False) -> JsonObject:
    data = make_messages(thread_id)[::-1]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"],
        "last_id": data[-1]["id"],
        "has_more": has_more,
    }


def _make_dumped(thread_id: str) -> list[JsonObject]:
    """What `model_dump` of the SDK gives: fields that were absent are null."""
    nulls = {"completed_at": None, "incomplete_at": None, "incomplete_details": None, "status": None}
    return [{**message, **nulls} for message in make_messages(thread_id)]


RUN: JsonObject = {
    "id": "run_e",
    "object": "thread.run",
    "created_at": 1700000001,
    "assistant_id": "asst_e",
    "thread_id": "thread_e",
    "status": "completed",
    "tools": [],
}
STEP: JsonObject = {
    "id": "step_e",
    "object": "thread.run.step",
    "created_at": 1700000001,
    "run_id": "run_e",
    "thread_id": "thread_e",
    "type": "message_creation",
    "status": "completed",
    "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_thread_e_1"}},
}
THREAD_E: JsonObject = {"id": "thread_e", "object": "thread", "created_at": 1700000000, "metadata": {}}


def _make_node(own_id: str, parent: str, role: str, text: str, time: float) -> JsonObject:
    message = {"author": {"role": role}, "create_time": time, "content": {"content_type": "text", "parts": [text]}}
    return {"id": own_id, "parent": parent, "children": [], "message": {"id": own_id, **message}}


def _make_items() -> list[JsonObject]:
    return [
        {"type": "message", "id": "msg_v1", "role": "user", "content": [{"type": "input_text", "text": TALK[0][1]}]},
        {"type": "function_call", "call_id": "call_1", "name": "today", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Tuesday"},
        {
            "type": "message",
            "id": "msg_v2",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "It is."}],
        },
    ]


DUMPS: dict[str, Dump] = {
    "list page": Dump(write_json(_make_page("thread_a")), {"thread_a": TALK}, "messages"),
    "one page of many": Dump(
        write_json(_make_page("thread_a", has_more=True)), {"thread_a": TALK}, "messages", ["messages"]
    ),
    "array of message dumps": Dump(write_json(_make_dumped("thread_b")), {"thread_b": TALK}, "messages"),
    "array without object": Dump(
        write_json([{k: v for k, v in each.items() if k != "object"} for each in make_messages("thread_b")]),
        {"thread_b": TALK},
        "messages",
    ),
    "version 1": Dump(
        write_json(
            [
                {k: v for k, v in each.items() if k != "attachments"} | {"file_ids": ["file-c"]}
                for each in make_messages("thread_c")
            ]
        ),
        {"thread_c": TALK},
        "messages",
    ),
    "one JSON a thread": Dump(
        write_json(
            {
                "format": "assistants-thread-export/v1",
                "thread": THREAD_E,
                "messages": make_messages("thread_e"),
                "runs": [RUN],
                "run_steps": {"run_e": [STEP]},
            }
        ),
        {"thread_e": TALK},
        "full",
    ),
    "simplified export": Dump(
        write_json(
            {
                "threads": [
                    {
                        "id": "thread_f",
                        "messages": [
                            {"role": "user", "content": "Is it Tuesday?", "timestamp": "2025-03-01T10:00:00Z"},
                            {"role": "assistant", "content": "It is.", "timestamp": "2025-03-01T10:00:05+00:00"},
                        ],
                        "toolCalls": [{"name": "lookup", "arguments": {"day": 1}, "output": "Tuesday"}],
                    }
                ]
            }
        ),
        {"thread_f": TALK},
    ),
    "ids with titles": Dump(
        write_json(
            [
                {
                    "thread_id": "thread_g",
                    "assistant_id": "asst_g",
                    "thread_name": "billing",
                    "created_at": "2024-05-02",
                },
                {"thread_id": "thread_h", "thread_name": "trip"},
            ]
        ),
        {"thread_g": [], "thread_h": []},
        missing=["messages"],
    ),
    "ids alone": Dump(write_json(["thread_g", "thread_h"]), {"thread_g": [], "thread_h": []}, missing=["messages"]),
    "NDJSON by object": Dump(
        write_lines(
            THREAD_E, *make_messages("thread_e"), RUN, STEP, {"id": "asst_e", "object": "assistant", "model": "m"}
        ),
        {"thread_e": TALK},
        "full",
    ),
    "training": Dump(
        write_lines(
            {"messages": [{"role": "system", "content": "Be brief."}, *({"role": r, "content": t} for r, t in TALK)]},
            {"messages": [{"role": "user", "content": "Bye"}]},
        ),
        {"*1": TALK, "*2": [("user", "Bye")]},
        problems=1,
    ),
    "SQLite with text and roles": Dump(
        write_sqlite(
            "CREATE TABLE roles (id INTEGER, name TEXT); INSERT INTO roles VALUES (1, 'user'), (2, 'assistant');"
            "CREATE TABLE message (id TEXT, created_at INTEGER, text_content TEXT, thread_id TEXT, role_id INTEGER);"
            "INSERT INTO message VALUES ('msg_j1', 1700000300, 'Is it Tuesday?', 'thread_j', 1),"
            "('msg_j2', 1700000301, 'It is.', 'thread_j', 2);"
        ),
        {"thread_j": TALK},
    ),
    "SQLite with JSON content": Dump(
        write_sqlite(
            "CREATE TABLE assistant_message (uuid, assistant_id, thread_id, at, role, content);"
            "INSERT INTO assistant_message VALUES"
            "('5f0c', 'asst_k', 'thread_k', '2024-07-01 09:00', 'user', '{\"text\":{\"value\":\"Is it Tuesday?\"}}'),"
            "('5f0d', 'asst_k', 'thread_k', '2024-07-01 09:01', 'assistant', '[{\"text\":\"It is.\"}]');"
        ),
        {"thread_k": TALK},
    ),
    "table of own ids": Dump(
        write_json(
            {
                "chatThreads": [
                    {"id": "c1", "openaiThreadId": "thread_l", "title": "Trip", "createdAt": "2025-01-01T00:00:00.000Z"}
                ],
                "chatMessages": [
                    {
                        "id": "m1",
                        "conversationId": "c1",
                        "role": "USER",
                        "text": "Is it Tuesday?",
                        "createdAt": 1735689600000,
                    },
                    {"id": "m2", "conversationId": "c1", "role": "BOT", "text": "It is.", "createdAt": 1735689601000},
                ],
            }
        ),
        {"thread_l": TALK},
    ),
    "CSV of messages": Dump(
        write_text(
            "conversation_id,role,content,user_id,created_at\n"
            'thread_m,user,"Is it Tuesday?",u1,2025-02-02T08:00:00Z\n'
            "thread_m,assistant,It is.,,2025-02-02T08:00:04Z\n"
        ),
        {"thread_m": TALK},
    ),
    "CSV of exchanges": Dump(
        write_text("thread_id;question;answer;at\nthread_n;Is it Tuesday?;It is.;2025-02-02\n"), {"thread_n": TALK}
    ),
    "export of a user interface": Dump(
        write_json(
            {
                "version": "1.0",
                "exportedAt": "2025-01-01",
                "thread": {"id": 7, "title": "x"},
                "messages": [
                    {"id": 1, "role": "user", "content": "Is it Tuesday?", "parent_id": None, "token_in": 3},
                    {"id": 2, "role": "assistant", "content": "It is.", "parent_id": 1},
                ],
            }
        ),
        {"*": TALK},
    ),
    "tree of messages": Dump(
        write_json(
            {
                "conversationId": "c-9",
                "title": "Days",
                "messages": [
                    {
                        "messageId": "b",
                        "parentMessageId": "a",
                        "sender": "GPT-4",
                        "text": "No.",
                        "isCreatedByUser": False,
                    },
                    {
                        "messageId": "c",
                        "parentMessageId": "a",
                        "sender": "GPT-4",
                        "text": "It is.",
                        "isCreatedByUser": False,
                    },
                    {
                        "messageId": "a",
                        "parentMessageId": "0",
                        "sender": "User",
                        "text": "Is it Tuesday?",
                        "isCreatedByUser": True,
                    },
                ],
            }
        ),
        {"*": TALK},
        missing=["branches"],
    ),
    "traces": Dump(
        write_json(
            {
                "id": "s1",
                "threads": [
                    {
                        "id": "t1",
                        "traces": [
                            {
                                "userMessage": {"role": "user", "content": "Is it Tuesday?"},
                                "output": {"role": "assistant", "content": "It is."},
                            }
                        ],
                    }
                ],
            }
        ),
        {"*": TALK},
    ),
    "VCR cassette": Dump(
        write_text(
            "interactions:\n- request:\n    method: GET\n    uri: https://api.openai.com/v1/threads/thread_q/messages\n"
            "  response:\n    status: {code: 200, message: OK}\n    body:\n      string: "
            + orjson.dumps(orjson.dumps(_make_page("thread_q")).decode()).decode()
            + "\nversion: 1\n"
        ),
        {"thread_q": TALK},
        "messages",
    ),
    "HAR": Dump(
        write_json(
            {
                "log": {
                    "version": "1.2",
                    "entries": [
                        {
                            "request": {"method": "GET", "url": "https://api.openai.com/v1/threads/thread_q/messages"},
                            "response": {
                                "status": 200,
                                "content": {"text": orjson.dumps(_make_page("thread_q")).decode()},
                            },
                        }
                    ],
                }
            }
        ),
        {"thread_q": TALK},
        "messages",
    ),
    "Conversations items": Dump(
        write_json(
            {
                "object": "list",
                "data": [
                    {
                        "type": "message",
                        "id": "msg_s1",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "Is it Tuesday?"}],
                    },
                    {
                        "type": "message",
                        "id": "msg_s2",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "It is."}],
                    },
                ],
                "has_more": False,
            }
        ),
        {"*": TALK},
    ),
    "Foundry": Dump(
        write_json(
            {
                "object": "list",
                "data": [{**each, "id": f"AAMk{n}"} for n, each in enumerate(make_messages("thread_t"))][::-1],
                "has_more": False,
            }
        ),
        {"thread_t": TALK},
        "messages",
    ),
    "tree of a chat export": Dump(
        write_json(
            [
                {
                    "title": "Days",
                    "conversation_id": "c-1",
                    "current_node": "c",
                    "mapping": {
                        "r": {"id": "r", "message": None, "parent": None, "children": ["a"]},
                        "a": _make_node("a", "r", "user", "Is it Tuesday?", 1700000001.2),
                        "b": _make_node("b", "a", "assistant", "No.", 1700000002.2),
                        "c": _make_node("c", "a", "assistant", "It is.", 1700000003.2),
                    },
                }
            ]
        ),
        {"*": TALK},
        missing=["branches"],
    ),
    "tree by id": Dump(
        write_json(
            {
                "title": "Days",
                "chat": {
                    "history": {
                        "currentId": "b",
                        "messages": {
                            "a": {"id": "a", "parentId": None, "role": "user", "content": "Is it Tuesday?"},
                            "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "It is."},
                        },
                    }
                },
            }
        ),
        {"*": TALK},
    ),
    "steps of a trace": Dump(
        write_json(
            {
                "data": [
                    {
                        "id": "t-1",
                        "createdAt": "2025-01-01T00:00:00Z",
                        "steps": [
                            {"id": "s1", "type": "user_message", "output": {"content": "Is it Tuesday?"}},
                            {"id": "s2", "type": "llm", "input": {}, "output": {"content": "raw"}},
                            {"id": "s3", "type": "assistant_message", "output": {"content": "It is."}},
                        ],
                    }
                ]
            }
        ),
        {"*": TALK},
    ),
    "traces of sessions": Dump(
        write_json(
            [
                {
                    "id": "tr1",
                    "sessionId": "s1",
                    "timestamp": "2025-01-01T00:00:00Z",
                    "input": {
                        "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": TALK[0][1]}]
                    },
                    "output": {"role": "assistant", "content": "It is."},
                }
            ]
        ),
        {"*": TALK},
    ),
    "discussion of agents": Dump(
        write_json([{"agent": "User", "message": "Is it Tuesday?"}, {"agent": "Critic", "message": "It is."}]),
        {"*": TALK},
    ),
    "parts of messages": Dump(
        write_json(
            {
                "id": "chat1",
                "messages": [
                    {"id": str(n), "role": role, "parts": [{"type": "text", "text": text}]}
                    for n, (role, text) in enumerate(TALK)
                ],
            }
        ),
        {"*": TALK},
    ),
    "threads by id": Dump(
        write_json({"thread_u": [{"role": role, "content": text} for role, text in TALK]}), {"thread_u": TALK}
    ),
    "conversation that was a thread": Dump(
        write_json(
            {
                "id": "conv_1",
                "object": "conversation",
                "metadata": {"thread_id": "thread_v"},
                "items": {"object": "list", "data": _make_items()[::-1], "has_more": False},
            }
        ),
        {"thread_v": TALK},
    ),
    "event stream": Dump(
        write_text(
            "".join(
                f"event: thread.message.completed\ndata: {orjson.dumps(each).decode()}\n\n"
                for each in make_messages("thread_w")
            )
            + "event: done\ndata: [DONE]\n\n"
        ),
        {"thread_w": TALK},
        "messages",
    ),
    "lines of ids": Dump(write_text("thread_g\nthread_h\n"), {"thread_g": [], "thread_h": []}, missing=["messages"]),
    "JSON values one after another": Dump(
        lambda path: path.write_bytes(
            b"\n".join(orjson.dumps(each, option=orjson.OPT_INDENT_2) for each in make_messages("thread_x"))
        ),
        {"thread_x": TALK},
        "messages",
    ),
    "JSON in a log": Dump(
        write_text(
            "".join(f"2025-01-01 got {orjson.dumps(each).decode()} in 3 ms\n" for each in make_messages("thread_y"))
        ),
        {"thread_y": TALK},
        "messages",
    ),
    "JSON that was cut off": Dump(
        lambda path: path.write_bytes(orjson.dumps([*make_messages("thread_z"), TALK])[:-20]),
        {"thread_z": TALK},
        "messages",
        problems=1,
    ),
    "half surrogates": Dump(
        write_text('{"thread_id": "thread_s", "messages": [{"role": "user", "content": "Hi \\ud83d!"}]}'),
        {"thread_s": [("user", "Hi \ufffd!")]},
    ),
}
