"""The same conversations with both backends, each over recorded HTTP: the one's Responses, the other's Assistants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recorded.model_texts import extract_model_texts
from tests.recorded.recording_targets import has_live_service
from tests.recorded.scenario_driver import ScenarioDriver
from tests.recorded.scenarios import SCENARIOS

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]

_CANNOT_BE_TOLD_TO_FAIL = pytest.mark.skipif(has_live_service(), reason="a live service cannot be told to fail")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=name, marks=[_CANNOT_BE_TOLD_TO_FAIL] if scenario.needs_simulator else [])
        for name, scenario in SCENARIOS.items()
    ],
)
async def test_a_conversation_takes_its_course(scenario: Any, conversation: ScenarioDriver, vcr: Any) -> None:
    await scenario.play(conversation)

    assert conversation.observations == list(scenario.observations)
    assert conversation.model_texts == extract_model_texts(vcr.responses)
