"""Objects of the SDK that a program printed into a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.pagination import SyncCursorPage
from openai.types.beta.thread import Thread
from openai.types.beta.threads.message import Message

from tests.migrate.dumps.dump_shapes import TALK, make_messages
from tests.migrate.dumps.test_shapes import import_dump, read_provenance, read_talks
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.dumps.sdk_repr import iterate_printed, parse_printed

THREAD = {"id": "thread_d", "object": "thread", "created_at": 1700000000, "metadata": {"user": 'it\'s "me"'}}


STATUS = {"status": "completed", "completed_at": None, "incomplete_at": None, "incomplete_details": None}


def make_page(*, has_more: bool = False) -> SyncCursorPage[Message]:
    messages = [Message.model_validate(each) for each in make_messages("thread_d", **STATUS)]
    return SyncCursorPage[Message](data=messages[::-1], has_more=has_more)


@pytest.mark.parametrize("form", ["page", "list", "single messages", "dictionaries"])
def test_what_a_program_printed_is_imported(tmp_path: Path, form: str) -> None:
    page = make_page()
    printed = {
        "page": repr(page),
        "list": repr(page.data),
        "single messages": "\n".join(f"2024-05-01 INFO got {each!r} in 3 ms" for each in page.data),
        "dictionaries": repr([each.model_dump() for each in page.data]),
    }[form]
    (tmp_path / "app.log").write_text(f"starting (v1)\nINFO {Thread.model_validate(THREAD)!r}\n{printed}\nbye :)\n")

    result = import_dump(str(tmp_path / "app.log"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 0, result.output
    assert read_talks(tmp_path / "archive") == {"thread_d": TALK}
    (thread,) = Archive.open(tmp_path / "archive").read_part(Part.THREADS)
    assert thread["metadata"] == THREAD["metadata"]
    assert [each["grade"] for each in read_provenance(tmp_path / "archive")] == ["full"]


def test_a_printed_page_of_many_misses_messages(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text(repr(make_page(has_more=True)))

    import_dump(str(tmp_path / "app.log"), "--out", str(tmp_path / "archive"))

    assert "messages" in read_provenance(tmp_path / "archive")[0]["missing"]


def test_a_log_that_was_cut_off_keeps_what_precedes(tmp_path: Path) -> None:
    printed = "\n".join(repr(each) for each in make_page().data)
    (tmp_path / "app.log").write_text(printed[:-20])

    result = import_dump(str(tmp_path / "app.log"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 1
    assert "line 2: This printed object cannot be read" in result.output
    assert read_talks(tmp_path / "archive") == {"thread_d": TALK[1:]}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("Message(id='a', role=<MessageRole.USER: 'user'>)", {"id": "a", "role": "user", "object": "thread.message"}),
        ("Message(id='a', at=datetime.datetime(2024, 5, 1, 8, 0, tzinfo=datetime.timezone.utc))",
         {"id": "a", "at": "2024-05-01T08:00:00Z", "object": "thread.message"}),
        ("{'id': -1, 'x': <Foo object at 0x7f>, 'y': MessageRole.USER}", {"id": -1, "x": None, "y": "user"}),
        ("__import__('os').system('touch x')", "touch x"),
        ("{'id': '\\ud800'}", {"id": "\ufffd"}),
        ("Message(", None),
    ],
)  # fmt: skip
def test_expressions_are_parsed_and_never_evaluated(expression: str, value: Any) -> None:
    assert parse_printed(expression) == value


@given(st.text(max_size=60), st.sampled_from([repr(make_page()), "[" * 5000, "{'id': " * 900]), st.integers(0, 400))
def test_any_text_around_and_any_cut_is_harmless(noise: str, printed: str, cut: int) -> None:
    list(iterate_printed(noise + printed[: len(printed) - cut] + noise))
