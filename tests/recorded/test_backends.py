"""The same conversations with both backends, each over recorded HTTP: the one's Responses, the other's Assistants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recorded.conversation import Conversation
from tests.recorded.scenarios import SCENARIOS
from tests.recorded.services import any_live
from tests.recorded.spoken import spoken

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]

_CANNOT_BE_TOLD_TO_FAIL = pytest.mark.skipif(any_live(), reason="a live service cannot be told to fail")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=name, marks=[_CANNOT_BE_TOLD_TO_FAIL] if scenario.needs_simulator else [])
        for name, scenario in SCENARIOS.items()
    ],
)
async def test_a_conversation_takes_its_course(scenario: Any, conversation: Conversation, vcr: Any) -> None:
    await scenario.play(conversation)

    assert conversation.course == list(scenario.course)
    assert conversation.words == spoken(vcr.responses)
