"""Numbered differences: what some doors lack."""

from __future__ import annotations

import inspect

import pytest

from tests.bridge.client.stub_backend import StubBackend, make_async_variant, make_sync_variant
from tests.bridge.client.test_signatures import PLACES, find


@pytest.mark.parametrize("name", ["with_raw_response", "with_streaming_response"])
def test_d97_the_neutral_interface_has_no_raw_responses(name: str) -> None:
    for client in (make_sync_variant(StubBackend()).client, make_async_variant(StubBackend()).client):
        for resource in (client, *(find(client, place) for place in PLACES)):
            with pytest.raises(AttributeError, match=rf"has no {name}: .* threadbridge\.openai_client\(\) has both"):
                getattr(resource, name)


def test_d97_the_neutral_interface_has_no_attribute_for_raw_responses() -> None:
    threads = make_sync_variant(StubBackend()).client.threads

    found = dict(inspect.getmembers(threads))

    assert not hasattr(threads, "with_raw_response")
    assert "with_streaming_response" not in found
