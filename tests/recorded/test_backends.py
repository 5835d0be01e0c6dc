"""The same scenarios with both backends, each over recorded HTTP: Responses and Assistants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recorded.model_texts import extract_model_texts
from tests.recorded.recording_targets import has_live_service
from tests.recorded.scenario_driver import ScenarioDriver
from tests.recorded.scenarios import SCENARIOS

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]

_NEEDS_SIMULATOR = pytest.mark.skipif(has_live_service(), reason="a live service cannot be made to fail")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=name, marks=[_NEEDS_SIMULATOR] if scenario.needs_simulator else [])
        for name, scenario in SCENARIOS.items()
    ],
)
async def test_a_scenario_causes_its_observations(scenario: Any, conversation: ScenarioDriver, vcr: Any) -> None:
    await scenario.play(conversation)

    assert conversation.observations == list(scenario.observations)
    assert conversation.model_texts == extract_model_texts(vcr.responses)
