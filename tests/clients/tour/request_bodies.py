"""What the chapters send more than once."""

from __future__ import annotations

from openai.types.beta import FunctionToolParam
from openai.types.beta.threads import Run
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

#: What an SDK sends of itself where it has a method.
BETA = {"OpenAI-Beta": "assistants=v2"}
WEATHER: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
#: Two calls at once, then a third one.
THREE_CALLS = (
    'CALL get_weather {"city": "Bern"}\nCALL get_weather {"city": "Oslo"}\n'
    'THEN CALL get_weather {"city": "Lima"}\nSAY Sunny everywhere.'
)
ONE_CALL = 'CALL get_weather {"city": "Bern"}\nSAY Sunny in Bern.'


def make_outputs(run: Run) -> list[ToolOutput]:
    """An output for every call the run waits for."""
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": f"sunny for {call.function.arguments}"} for call in calls]
