from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.schema_check import published_schema as published_schema
from tests.differences.service import Service, emulated


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with emulated() as opened:
        yield opened
