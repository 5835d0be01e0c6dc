// Runs and their steps, polled: by hand and by every helper.

import { BETA, WEATHER, user } from "../bodies.mjs";
import { all, refused, show } from "../showing.mjs";

export async function tour(client) {
  const { threads } = client.beta;
  const { runs } = threads;
  const assistant = await client.beta.assistants.create({
    model: "gpt-4o",
    instructions: "Be brief.",
    tools: [WEATHER],
  });
  const thread = await threads.create({ messages: [user("SAY Good morning")] });
  const of_thread = { thread_id: thread.id };

  const created = await runs.create(thread.id, { assistant_id: assistant.id, metadata: { try: "1" } });
  show("threads.runs.create", created);
  show("threads.runs.poll", await runs.poll(created.id, of_thread));
  show("threads.runs.retrieve", await runs.retrieve(created.id, of_thread));
  show("threads.runs.update", await runs.update(created.id, { ...of_thread, metadata: { try: "one" } }));

  const again = await runs.createAndPoll(thread.id, {
    assistant_id: assistant.id,
    model: "gpt-4.1",
    instructions: "Be long.",
    additional_instructions: "And friendly.",
    additional_messages: [user("SAY Good evening")],
    tools: [],
    temperature: 0.3,
    max_completion_tokens: 500,
    truncation_strategy: { type: "last_messages", last_messages: 3 },
    parallel_tool_calls: false,
    response_format: { type: "text" },
  });
  show("threads.runs.create_and_poll", again);
  // No SDK has a method for it: the operation is an extension.
  const report = await client.get(`/threads/${thread.id}/runs/${again.id}/report`, { headers: BETA });
  const { number, usage, warnings } = report.turns[0];
  show("threads.runs, reported", { number, usage, warnings });
  show("threads.runs.list", (await runs.list(thread.id, { limit: 1 })).body);
  const oldestFirst = runs.list(thread.id, { limit: 1, order: "asc" });
  show("threads.runs.list, every page", await all(oldestFirst, (run) => run.id));
  await results(threads, thread.id, again.id);
  await cancelled(threads, assistant.id);
  await withAThread(threads, assistant.id);
}

async function results(threads, thread_id, run_id) {
  const { steps } = threads.runs;
  show("threads.messages.list of a run", (await threads.messages.list(thread_id, { run_id })).body);
  const page = await steps.list(run_id, { thread_id, limit: 1, order: "asc" });
  show("threads.runs.steps.list", page.body);
  const step = await steps.retrieve(page.data[0].id, {
    thread_id,
    run_id,
    include: ["step_details.tool_calls[*].file_search.results[*].content"],
  });
  show("threads.runs.steps.retrieve", step);
  const listed = steps.list(run_id, { thread_id, limit: 1 });
  show("threads.runs.steps.list, every page", await all(listed, (one) => one.type));
}

async function cancelled(threads, assistant_id) {
  const thread = await threads.create({ messages: [user("CALL get_weather {}")] });
  const of_thread = { thread_id: thread.id };
  const run = await threads.runs.createAndPoll(thread.id, { assistant_id });
  show("threads.runs.create_and_poll, a run that waits", run.status);
  show("threads.runs.cancel", (await threads.runs.cancel(run.id, of_thread)).status);
  show("threads.runs.poll, a cancelled run", await threads.runs.poll(run.id, of_thread));
  await refused("threads.runs.cancel, cancelled", threads.runs.cancel(run.id, of_thread));
}

async function withAThread(threads, assistant_id) {
  show("threads.create_and_run", await threads.createAndRun({ assistant_id }));
  const run = await threads.createAndRunPoll({
    assistant_id,
    thread: { messages: [user("SAY At once")], metadata: { by: "the run" } },
  });
  show("threads.create_and_run_poll", run);
  show("threads.retrieve, made by a run", await threads.retrieve(run.thread_id));
}
