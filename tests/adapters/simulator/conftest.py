from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.simulator.simulator_client import CountedIds
from tests.clocks import StandingClock
from threadbridge_adapters.simulator import Simulator

#: 2026-11-21: gpt-4 is gone, gpt-5 has twenty days left.
TODAY = 1_795_258_800.0


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(TODAY)


@pytest.fixture
async def simulator(clock: StandingClock) -> AsyncIterator[Simulator]:
    made = Simulator(clock=clock, new_id=CountedIds())
    yield made
    await made.aclose()
