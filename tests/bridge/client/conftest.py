from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bridge.client.stub_backend import CLIENT_VARIANTS, ClientVariant, StubBackend


@pytest.fixture(params=CLIENT_VARIANTS)
def face(request: pytest.FixtureRequest) -> Callable[[StubBackend], ClientVariant]:
    """Makes a client of one colour; the test runs once with each."""
    return CLIENT_VARIANTS[request.param]
