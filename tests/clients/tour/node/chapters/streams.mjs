// Streamed runs: raw events, the helpers' streams, and every listener.

import { AssistantStream } from "openai/lib/AssistantStream";

import { BETA, ONE_CALL, THREE_CALLS, WEATHER, answers, user } from "../bodies.mjs";
import { all, show } from "../showing.mjs";

const name = (event) => event.event;

export async function tour(client) {
  const assistant = await client.beta.assistants.create({ model: "gpt-4o", tools: [WEATHER] });
  const { threads } = client.beta;
  for (const part of [events, helpers, submitted, handled, followed, relayed]) await part(threads, assistant.id, client);
}

/** `stream: true`: every event as it came. */
async function events(threads, assistant_id) {
  const body = { assistant_id, thread: { messages: [user(ONE_CALL)] }, stream: true };
  const seen = await all(await threads.createAndRun(body));
  show("threads.create_and_run, streamed", seen);
  const { id, thread_id } = seen.at(-1).data;
  const run = await threads.runs.retrieve(id, { thread_id });
  const outputs = { thread_id, tool_outputs: answers(run), stream: true };
  show("threads.runs.submit_tool_outputs, streamed", await all(await threads.runs.submitToolOutputs(id, outputs)));
  const additional_messages = [user("SAY That was all.")];
  const last = await threads.runs.create(thread_id, { assistant_id, additional_messages, stream: true });
  show("threads.runs.create, streamed", await all(last, name));
}

/** `stream` and `createAndRunStream`, and what their streams can be asked. */
async function helpers(threads, assistant_id) {
  const thread = await threads.create({ messages: [user("SAY One two three.")] });
  const stream = threads.runs.stream(thread.id, { assistant_id });
  const texts = [];
  stream.on("textDelta", (delta) => texts.push(delta.value));
  const run = await stream.finalRun();
  show("threads.runs.stream, text_deltas", texts);
  show("threads.runs.stream, get_final_run", run);
  show("threads.runs.stream, get_final_run_steps", await stream.finalRunSteps());
  show("threads.runs.stream, get_final_messages", await stream.finalMessages());
  const made = threads.createAndRunStream({ assistant_id, thread: { messages: [user("SAY Four.")] } });
  show("threads.create_and_run_stream", await all(made, name));
  show("threads.create_and_run_stream, get_final_messages", await made.finalMessages());
}

/** `submitToolOutputsStream`, after the first stream has ended. */
async function submitted(threads, assistant_id) {
  const thread = await threads.create({ messages: [user(ONE_CALL)] });
  const waiting = await threads.runs.stream(thread.id, { assistant_id }).finalRun();
  const outputs = { thread_id: thread.id, tool_outputs: answers(waiting) };
  const stream = threads.runs.submitToolOutputsStream(waiting.id, outputs);
  show("threads.runs.submit_tool_outputs_stream", await all(stream, name));
  show("threads.runs.submit_tool_outputs_stream, get_final_run", await stream.finalRun());
}

/** Listeners that submit from within, twice. */
async function handled(threads, assistant_id) {
  const thread = await threads.create({ messages: [user(THREE_CALLS)] });
  show("threads.runs.stream, handled", await listen(threads, threads.runs.stream(thread.id, { assistant_id })));
}

/** What the listeners of this stream are told, and then those of the streams that go on from it. */
async function listen(threads, stream) {
  const told = [];
  let following = [];
  stream
    .on("event", ({ event, data }) => {
      if (event !== "thread.run.requires_action") return;
      const outputs = { thread_id: data.thread_id, tool_outputs: answers(data) };
      following = listen(threads, threads.runs.submitToolOutputsStream(data.id, outputs));
    })
    .on("runStepCreated", (step) => told.push(["run step created", step.type]))
    .on("runStepDelta", (_, snapshot) => told.push(["run step delta", snapshot.id]))
    .on("runStepDone", (step) => told.push(["run step done", step.status]))
    .on("toolCallCreated", (call) => told.push(["tool call created", call.type]))
    .on("toolCallDelta", (delta) => told.push(["tool call delta", delta.index]))
    .on("toolCallDone", (call) => told.push(["tool call done", call]))
    .on("messageCreated", (message) => told.push(["message created", message.status]))
    .on("messageDelta", (_, snapshot) => told.push(["message delta", snapshot.id]))
    .on("messageDone", (message) => told.push(["message done", message.status]))
    .on("textCreated", (text) => told.push(["text created", text.annotations]))
    .on("textDelta", (delta, snapshot) => told.push(["text delta", delta.value, snapshot.value]))
    .on("textDone", (text) => told.push(["text done", text.value]))
    .on("end", () => told.push(["end"]));
  await stream.done();
  return [...told, ...(await following)];
}

/** A run's events once more, after its end. No SDK has a method for it: the path is an extension. */
async function followed(threads, assistant_id, client) {
  const thread = { messages: [user("SAY Once more.")] };
  const { id, thread_id } = await threads.createAndRunPoll({ assistant_id, thread });
  const events = await client.get(`/threads/${thread_id}/runs/${id}/events`, { headers: BETA, stream: true });
  show("threads.runs, followed", await all(events, name));
}

/** `toReadableStream`, read again at the other end, as a browser does. */
async function relayed(threads, assistant_id) {
  const thread = await threads.create({ messages: [user("SAY To the browser.")] });
  const stream = threads.runs.stream(thread.id, { assistant_id });
  const browser = AssistantStream.fromReadableStream(stream.toReadableStream());
  show("threads.runs.stream, relayed", await all(browser, name));
  show("threads.runs.stream, relayed messages", await browser.finalMessages());
}
