// Function calls, polled: outputs handed back one way and the other, and refused.

import { ONE_CALL, THREE_CALLS, WEATHER, answers, user } from "../bodies.mjs";
import { refused, show } from "../showing.mjs";

export async function tour(client) {
  const { threads } = client.beta;
  const { runs } = threads;
  const assistant = await client.beta.assistants.create({ model: "gpt-4o", tools: [WEATHER] });
  const thread = await threads.create({ messages: [user(THREE_CALLS)] });
  const of_thread = { thread_id: thread.id };

  let waiting = await runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  show("threads.runs.create_and_poll, two calls", waiting);
  await refusals(threads, thread.id, assistant.id, waiting.id);
  const backwards = { ...of_thread, tool_outputs: answers(waiting).reverse() };
  waiting = await runs.submitToolOutputsAndPoll(waiting.id, backwards);
  show("threads.runs.submit_tool_outputs_and_poll, one more call", waiting.required_action);
  const outputs = { ...of_thread, tool_outputs: answers(waiting) };
  show("threads.runs.submit_tool_outputs", (await runs.submitToolOutputs(waiting.id, outputs)).status);
  show("threads.runs.poll, after the outputs", await runs.poll(waiting.id, of_thread));
  const steps = await runs.steps.list(waiting.id, { ...of_thread, order: "asc" });
  show("threads.runs.steps.list, calls and outputs", steps.data);
  await refused("threads.runs.submit_tool_outputs, completed", runs.submitToolOutputs(waiting.id, outputs));
  await forced(threads, assistant.id);
}

async function refusals(threads, thread_id, assistant_id, run_id) {
  await refused("threads.messages.create, busy", threads.messages.create(thread_id, user("Hello?")));
  await refused("threads.runs.create, busy", threads.runs.create(thread_id, { assistant_id }));
  const none = threads.runs.submitToolOutputs(run_id, { thread_id, tool_outputs: [] });
  await refused("threads.runs.submit_tool_outputs, none", none);
}

async function forced(threads, assistant_id) {
  const run = await threads.createAndRunPoll({
    assistant_id,
    thread: { messages: [user(ONE_CALL)] },
    tool_choice: { type: "function", function: { name: "get_weather" } },
  });
  show("threads.create_and_run_poll, forced", run.tool_choice);
  const outputs = { thread_id: run.thread_id, tool_outputs: answers(run) };
  show("threads.runs.submit_tool_outputs_and_poll", await threads.runs.submitToolOutputsAndPoll(run.id, outputs));
}
