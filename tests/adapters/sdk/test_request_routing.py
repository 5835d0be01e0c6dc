"""Where a request goes is read from its URL as it is written, and as the HTTP library takes it apart: the same."""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import quote

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadbridge_adapters.sdk.request_routing import Way, way_of, way_to

http: Any = importlib.import_module("httpx2" if openai.VERSION.startswith("3.") else "httpx")

IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
QUERIES = st.lists(st.tuples(st.sampled_from(["limit", "after", "include[]"]), IDS | st.just("")), max_size=4)


@given(IDS, QUERIES)
def test_a_url_is_the_same_way_written_or_taken_apart(thread_id: str, query: list[tuple[str, str]]) -> None:
    url = http.URL(f"http://127.0.0.1:9/v1/threads/{quote(thread_id, safe='')}", params=query)

    written, apart = way_to(str(url), "/v1"), way_of(url, "/v1")

    # What might be dots to be resolved is left to those who do.
    assert written == (None if "/." in str(url) else apart)
    assert apart is None or sorted(apart.query) == sorted(url.params.multi_items())


LIST = "/threads/thread_1/messages"


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("http://h/v1/threads", Way("/threads", ())),
        (f"http://h/v1{LIST}?limit=5&order=asc", Way(LIST, [("limit", "5"), ("order", "asc")])),
        ("http://h/v1/threads/a%2Fb?after=x+y%26z", Way("/threads/a%2Fb", [("after", "x y&z")])),
        ("http://h/v1/threads?after=", Way("/threads", [("after", "")])),
        ("http://h/v1/responses", None),
        ("http://h", None),
        ("http://h?next=/v1/threads", None),
        ("http://h/v1/threads/../assistants", None),
        ("/v1/threads", None),
        ("http://h/v1/threads#part", None),
    ],
)
def test_the_way_is_read_from_the_url_as_it_is_written(url: str, way: Way | None) -> None:
    assert way_to(url, "/v1") == way
