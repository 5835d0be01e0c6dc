// What the chapters send more than once.

// What an SDK sends of itself where it has a method.
export const BETA = { "OpenAI-Beta": "assistants=v2" };

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** Two calls at once, then a third one. */
export const THREE_CALLS =
  'CALL get_weather {"city": "Bern"}\nCALL get_weather {"city": "Oslo"}\n' +
  'THEN CALL get_weather {"city": "Lima"}\nSAY Sunny everywhere.';
export const ONE_CALL = 'CALL get_weather {"city": "Bern"}\nSAY Sunny in Bern.';

export function user(content) {
  return { role: "user", content };
}

/** An output for every call the run waits for. */
export function answers(run) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  return calls.map((call) => ({ tool_call_id: call.id, output: `sunny for ${call.function.arguments}` }));
}
