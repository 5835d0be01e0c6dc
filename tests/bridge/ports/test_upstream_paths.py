"""Ids of clients and services are exactly one segment of a path."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from threadbridge.errors import UpstreamError
from threadbridge.ports import build_path


def test_usual_ids_and_queries_are_unchanged() -> None:
    assert build_path("vector_stores", "vs_1", "files", limit=100, after=None) == "/vector_stores/vs_1/files?limit=100"


@pytest.mark.parametrize("hostile", ["../admin", "a/b", "a?b=c", "a#b", "a\\b", "%2e%2e", "a&b", "ä", "a;b"])
def test_an_id_is_one_segment(hostile: str) -> None:
    path = build_path("files", hostile, "content")

    assert path.count("/") == 3
    assert unquote(path.split("/")[2]) == hostile
    assert path.isascii()
    assert not {"?", "#", "\\"} & set(path)


@pytest.mark.parametrize("impossible", ["", ".", "..", "...", "a\0b", "a\nb", "\x7f"])
def test_an_id_that_no_path_can_hold_is_a_404(impossible: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        build_path("files", impossible)

    assert raised.value.status == 404
