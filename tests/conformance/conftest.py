from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.schema_check import published_schema as published_schema
from tests.emulated_service import EmulatedService, open_service


@pytest.fixture
async def service() -> AsyncIterator[EmulatedService]:
    async with open_service() as opened:
        yield opened
