from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bridge.client.scripted import FACES, Face, ScriptedBackend


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Callable[[ScriptedBackend], Face]:
    """Makes a client of one colour; the test runs once with each."""
    return FACES[request.param]
