// A streamed run with listeners: text and calls appear as they come, outputs go back on a stream of their own.

import OpenAI from "openai";

const INSTRUCTIONS = "You work at the desk of a public library. Look opening hours up before you answer. Be brief.";
const HOURS = { today: "9 to 18", tomorrow: "11 to 16" };

const TOOL = {
  type: "function",
  function: {
    name: "opening_hours",
    description: "The library's opening hours.",
    parameters: {
      type: "object",
      properties: { day: { type: "string", enum: Object.keys(HOURS) } },
      required: ["day"],
    },
  },
};

const write = (text) => process.stdout.write(text);

function toolOutputs(run) {
  return run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    const { day } = JSON.parse(call.function.arguments);
    const output = JSON.stringify({ day, hours: HOURS[day] });
    write(`\nlibrary > ${output}`);
    return { tool_call_id: call.id, output };
  });
}

/** Print what comes, and go on with the calls of the run until nothing is left to call. */
async function follow(stream) {
  let waiting;
  stream
    .on("event", (event) => {
      if (event.event === "thread.run.requires_action") waiting = event.data;
      if (event.event === "thread.run.failed") write(`\nThe run failed: ${event.data.last_error?.message}`);
    })
    .on("textCreated", () => write("\nassistant > "))
    .on("textDelta", (delta) => write(delta.value ?? ""))
    .on("toolCallCreated", (call) => write(`\nassistant calls > ${call.function.name} `))
    .on("toolCallDelta", (delta) => write(delta.function?.arguments ?? ""));
  await stream.done();
  if (waiting) {
    const outputs = { thread_id: waiting.thread_id, tool_outputs: toolOutputs(waiting) };
    await follow(client.beta.threads.runs.submitToolOutputsStream(waiting.id, outputs));
  }
}

const question = process.argv[2] ?? "When does the library open tomorrow, and is it worth going early?";
const client = new OpenAI();
const assistant = await client.beta.assistants.create({
  name: "Library desk",
  model: "gpt-4o",
  instructions: INSTRUCTIONS,
  tools: [TOOL],
});
const thread = await client.beta.threads.create();
await client.beta.threads.messages.create(thread.id, { role: "user", content: question });
write(`user > ${question}`);

await follow(client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id }));
write("\n");
