from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.differences.service import Service, emulated


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with emulated() as opened:
        yield opened
