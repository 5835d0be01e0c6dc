// A data analyst: one question, answered with the help of a function that knows the figures.

import OpenAI from "openai";

const INSTRUCTIONS =
  "You are a data analyst. Look figures up with column_statistics before you speak about them. " +
  "The columns are 'revenue' and 'marketing', in thousands, one value per quarter. Answer in two sentences.";
const FIGURES = { revenue: [112, 130.5, 128, 161.5], marketing: [9, 14, 11.5, 20.5] };

const TOOL = {
  type: "function",
  function: {
    name: "column_statistics",
    description: "The values of a column with their sum, mean and change from first to last.",
    parameters: {
      type: "object",
      properties: { column: { type: "string", enum: Object.keys(FIGURES) } },
      required: ["column"],
    },
  },
};

function columnStatistics({ column }) {
  const values = FIGURES[column];
  const sum = values.reduce((one, other) => one + other);
  return JSON.stringify({ values, sum, mean: sum / values.length, change: values.at(-1) - values[0] });
}

function toolOutputs(run) {
  return run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    const output = columnStatistics(JSON.parse(call.function.arguments));
    console.log(`  ${call.function.name}(${call.function.arguments}) -> ${output}`);
    return { tool_call_id: call.id, output };
  });
}

const question = process.argv[2] ?? "How did revenue develop over the year, and was marketing worth its money?";
const client = new OpenAI();
const assistant = await client.beta.assistants.create({
  name: "Data analyst",
  model: "gpt-4o",
  instructions: INSTRUCTIONS,
  tools: [TOOL],
});
const thread = await client.beta.threads.create();
await client.beta.threads.messages.create(thread.id, { role: "user", content: question });
console.log(`user: ${question}`);

let run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
while (run.status === "requires_action") {
  run = await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, {
    thread_id: thread.id,
    tool_outputs: toolOutputs(run),
  });
}
if (run.status !== "completed") throw new Error(`The run ended as ${run.status}: ${run.last_error?.message}`);

const messages = await client.beta.threads.messages.list(thread.id, { run_id: run.id });
for (const part of messages.data[0].content) {
  if (part.type === "text") console.log(`assistant: ${part.text.value}`);
}
