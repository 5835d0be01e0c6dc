from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.schema_check import published_schema as published_schema
from tests.contract.environments import WORLDS, World, open_world


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Every backend behind every door, one after the other."""
    async with open_world(request.param) as opened:
        yield opened
