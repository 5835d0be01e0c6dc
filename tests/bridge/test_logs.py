"""What clients send cannot forge a log line."""

from __future__ import annotations

import logging

import pytest

from tests.bridge.wire.recording_backend import RecordingBackend
from tests.bridge.wire.wire_requests import send_request
from threadbridge.logs import escape_controls, log_to_stderr


@pytest.mark.parametrize("character", ["\r", "\n", "\x0b", "\x1b", "\x85", "\u2028", "\u2029"])
def test_a_text_is_one_line(character: str) -> None:
    escaped = escape_controls(f"a{character}FORGED: x\ty ä")

    assert escaped.startswith("a\\")
    assert len(escaped.splitlines()) == 1
    assert escaped.endswith("FORGED: x\ty ä")


@pytest.mark.parametrize("value", ["a\r\nFORGED: x", "a%0d%0aFORGED: x"])
async def test_the_name_of_a_parameter_begins_no_line(value: str, caplog: pytest.LogCaptureFixture) -> None:
    await send_request(RecordingBackend(), "GET", "/assistants", query=((value, "1"),))

    assert "FORGED" in caplog.text
    assert not [line for line in caplog.text.splitlines() if line.startswith("FORGED")]


def test_messages_of_every_library_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.Logger("root")
    monkeypatch.setattr(logging, "root", root)

    log_to_stderr("warning")
    root.handlers[0].handle(logging.LogRecord("other", logging.ERROR, "", 0, "a %s", ("b\nFORGED",), None))

    assert capsys.readouterr().err.endswith("other a b\\nFORGED\n")
