from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.simulator.simulator_client import CountingIds
from tests.manual_clock import ManualClock
from threadbridge_adapters.simulator import Simulator

#: 2026-11-21: gpt-4 is gone, gpt-5 has twenty days left.
TODAY = 1_795_258_800.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(TODAY)


@pytest.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[Simulator]:
    made = Simulator(clock=clock, new_id=CountingIds())
    yield made
    await made.aclose()
