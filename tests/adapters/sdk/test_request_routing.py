"""Which URLs are of the Assistants API, and what they say."""

from __future__ import annotations

import importlib
from typing import Any

import openai
import pytest

from threadbridge_adapters.sdk.transports import ApiTarget, parse_api_target

http: Any = importlib.import_module("httpx2" if openai.VERSION.startswith("3.") else "httpx")

LIST = "/threads/thread_1/messages"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h/v1/threads", ApiTarget("/threads", ())),
        (f"http://h/v1{LIST}?limit=5&order=asc", ApiTarget(LIST, [("limit", "5"), ("order", "asc")])),
        ("http://h/v1/threads/a%2Fb?after=x+y%26z", ApiTarget("/threads/a%2Fb", [("after", "x y&z")])),
        ("http://h/v1/threads?after=", ApiTarget("/threads", [("after", "")])),
        ("http://h/v1/threads#part", ApiTarget("/threads", ())),
        ("http://h/v1/responses", None),
        ("http://h", None),
        ("http://h?next=/v1/threads", None),
    ],
)
def test_the_target_is_read_from_the_url(url: str, target: ApiTarget | None) -> None:
    assert parse_api_target(http.URL(url), "/v1") == target
