// An agent loop written by hand: poll the run, call what it asks for, hand the outputs back, until it is over.

import { setTimeout } from "node:timers/promises";

import OpenAI from "openai";

const INSTRUCTIONS =
  "You help people travel. Look the temperatures up, convert them with the function, and try to book when asked. " +
  "When a function answers with an error, tell the user in plain words what did not work.";
const TEMPERATURES = { Lisbon: 24, Oslo: 7 };
const MILLISECONDS_BETWEEN_POLLS = 500;

// The model is offered book_trip as well, which nobody has written yet: it gets an error it can explain.
const FUNCTIONS = {
  get_temperature({ city }) {
    if (!(city in TEMPERATURES)) throw new Error(`nobody measures in ${city}`);
    return JSON.stringify({ city, celsius: TEMPERATURES[city] });
  },
  to_fahrenheit: ({ celsius }) => JSON.stringify({ fahrenheit: (celsius * 9) / 5 + 32 }),
};

function tool(name, description, parameters) {
  const properties = Object.fromEntries(Object.entries(parameters).map(([key, type]) => [key, { type }]));
  const required = Object.keys(parameters);
  return { type: "function", function: { name, description, parameters: { type: "object", properties, required } } };
}

const TOOLS = [
  tool("get_temperature", "Today's temperature in a city, in degrees Celsius.", { city: "string" }),
  tool("to_fahrenheit", "Convert degrees Celsius to Fahrenheit.", { celsius: "number" }),
  tool("book_trip", "Book a trip to a city.", { city: "string" }),
];

/** What the function answers. Whatever goes wrong becomes an answer too, so that the model can go on. */
function callFunction(name, json) {
  if (!(name in FUNCTIONS)) return `Error: there is no function named ${name}.`;
  let parsed;
  try {
    parsed = JSON.parse(json);
  } catch {
    return "Error: the arguments are not valid JSON.";
  }
  try {
    return FUNCTIONS[name](parsed);
  } catch (error) {
    return `Error: ${name} failed: ${error.message}.`;
  }
}

function toolOutputs(run) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  console.log(`round of ${calls.length}:`);
  return calls.map((call) => {
    const output = callFunction(call.function.name, call.function.arguments);
    console.log(`  ${call.function.name}(${call.function.arguments}) -> ${output}`);
    return { tool_call_id: call.id, output };
  });
}

const question = process.argv[2] ?? "I can travel to Lisbon or to Oslo. Where is it warmer today? Please book it.";
const client = new OpenAI();
const { runs } = client.beta.threads;
const assistant = await client.beta.assistants.create({
  name: "Travel agent",
  model: "gpt-4o",
  instructions: INSTRUCTIONS,
  tools: TOOLS,
});
const thread = await client.beta.threads.create({ messages: [{ role: "user", content: question }] });
console.log(`user: ${question}`);

let run = await runs.create(thread.id, { assistant_id: assistant.id });
while (["queued", "in_progress", "requires_action", "cancelling"].includes(run.status)) {
  if (run.status === "requires_action") {
    run = await runs.submitToolOutputs(run.id, { thread_id: thread.id, tool_outputs: toolOutputs(run) });
  } else {
    await setTimeout(MILLISECONDS_BETWEEN_POLLS);
    run = await runs.retrieve(run.id, { thread_id: thread.id });
  }
}
if (run.status !== "completed") throw new Error(`The run ended as ${run.status}: ${run.last_error?.message}`);

const messages = await client.beta.threads.messages.list(thread.id, { order: "desc", limit: 1 });
for (const part of messages.data[0].content) {
  if (part.type === "text") console.log(`assistant: ${part.text.value}`);
}
