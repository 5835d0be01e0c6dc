// Refusals: which class an SDK raises, and what its users read.

import { user } from "../bodies.mjs";
import { refused, show } from "../showing.mjs";

export async function tour(client) {
  await unknown(client.beta);
  await impossible(client);
  await failed(client.beta);
}

async function unknown({ assistants, threads }) {
  const thread_id = (await threads.create()).id;
  const assistant = await assistants.create({ model: "gpt-4o" });
  const { messages, runs } = threads;
  await refused("assistants.retrieve, unknown", assistants.retrieve("asst_none"));
  await refused("threads.retrieve, unknown", threads.retrieve("thread_none"));
  await refused("threads.messages.retrieve, unknown", messages.retrieve("msg_none", { thread_id }));
  await refused("threads.runs.retrieve, unknown", runs.retrieve("run_none", { thread_id }));
  await refused("threads.runs.steps.list, unknown", runs.steps.list("run_none", { thread_id }));
  const nobody = { assistant_id: "asst_none" };
  await refused("threads.runs.create, unknown assistant", runs.create(thread_id, nobody));
  const somebody = { assistant_id: assistant.id };
  await refused("threads.runs.create, unknown thread", runs.create("thread_none", somebody));
}

async function impossible(client) {
  const { assistants, threads } = client.beta;
  const model = "gpt-4o";
  const thread = await threads.create();
  await refused("assistants.create, temperature too high", assistants.create({ model, temperature: 3 }));
  await refused("assistants.create, a number for a name", assistants.create({ model, name: 7 }));
  await refused("assistants.create, an unknown parameter", assistants.create({ model, colour: "blue" }));
  await refused("assistants.list, limit too high", assistants.list({ limit: 101 }));
  await refused("assistants.list, an unknown order", assistants.list({ order: "sideways" }));
  const pilot = { role: "pilot", content: "Hi" };
  await refused("threads.messages.create, an unknown role", threads.messages.create(thread.id, pilot));
  const metadata = Object.fromEntries(Array.from({ length: 17 }, (_, number) => [String(number), "x"]));
  await refused("threads.update, metadata too many", threads.update(thread.id, { metadata }));
  await refused("threads.create, without the header", client.post("/threads", { body: {} }));
}

/** A run that fails is no error of a request. */
async function failed({ assistants, threads }) {
  const assistant = await assistants.create({ model: "gpt-4o" });
  const run = await threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [user("FAIL server_error The model fell over.")] },
  });
  show("threads.create_and_run_poll, failed", run.status);
  show("threads.create_and_run_poll, last_error", run.last_error.code);
}
