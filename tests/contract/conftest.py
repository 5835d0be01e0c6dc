from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.schema_check import published_schema as published_schema
from tests.contract.environments import ENVIRONMENTS, Environment, open_environment


@pytest.fixture(params=ENVIRONMENTS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Environment]:
    """Every backend behind every door, one after the other."""
    async with open_environment(request.param) as opened:
        yield opened
