// Files, vector stores, and the hosted tools that read and write them.

import { toFile } from "openai";

import { user } from "../bodies.mjs";
import { all, refused, show } from "../showing.mjs";

const TEXT = "The ferry to the island leaves at nine. Tickets cost twelve francs.";
const SEARCHING = "SEARCH when does the ferry leave\nSAY It leaves at nine[[1]].";
const CODING = "PYTHON save(fares)\nPRINTS 12\nWRITES fares.csv one,12\nSAY Here they are: [[fares.csv]]";
const RESULTS = "step_details.tool_calls[*].file_search.results[*].content";

const details = (step) => step.step_details;

export async function tour(client) {
  const { files, vectorStores } = client;
  const file = await files.create({ file: await toFile(Buffer.from(TEXT), "ferry.txt"), purpose: "assistants" });
  show("files.create", [file.object, file.filename, file.bytes, file.purpose]);
  show("files.retrieve", (await files.retrieve(file.id)).filename);
  const store = await vectorStores.create({ name: "Ferries" });
  show("vector_stores.create", [store.object, store.name, store.status]);
  const added = await vectorStores.files.createAndPoll(store.id, { file_id: file.id });
  show("vector_stores.files.create_and_poll", added.status);
  const listed = vectorStores.files.list(store.id);
  show("vector_stores.files.list, every page", await all(listed, (one) => one.status));
  await searched(client.beta, store.id);
  await coded(client, file.id);
  show("vector_stores.delete", (await vectorStores.delete(store.id)).deleted);
  show("files.delete", (await files.delete(file.id)).deleted);
  await refused("files.retrieve, deleted", files.retrieve(file.id));
}

/** A run that searches; what its step and its message say of it. */
async function searched({ assistants, threads }, store_id) {
  const assistant = await assistants.create({
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store_id] } },
  });
  show("assistants.create with file_search", assistant);
  const thread = { messages: [user(SEARCHING)] };
  const { id, thread_id, status } = await threads.createAndRunPoll({ assistant_id: assistant.id, thread });
  show("threads.create_and_run_poll with file_search", status);
  const steps = await threads.runs.steps.list(id, { thread_id, include: [RESULTS], order: "asc" });
  show("threads.runs.steps.list with results", steps.data.map(details));
  const messages = await threads.messages.list(thread_id, { limit: 1 });
  show("threads.messages.list with citations", messages.data[0].content);
}

/** A streamed run that reads an attached file and writes one of its own. */
async function coded({ beta: { assistants, threads }, files }, file_id) {
  const assistant = await assistants.create({ model: "gpt-4o", tools: [{ type: "code_interpreter" }] });
  const thread = await threads.create();
  const attachments = [{ file_id, tools: [{ type: "code_interpreter" }] }];
  const message = await threads.messages.create(thread.id, { ...user(CODING), attachments });
  show("threads.messages.create with a file", message.attachments);
  show("threads.retrieve with a file", (await threads.retrieve(thread.id)).tool_resources);
  const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id });
  show("threads.runs.stream with code_interpreter", await all(stream, (event) => event.event));
  const run = await stream.finalRun();
  const steps = await threads.runs.steps.list(run.id, { thread_id: thread.id, order: "asc" });
  show("threads.runs.steps.list with code", steps.data.map(details));
  const newest = (await threads.messages.list(thread.id, { limit: 1 })).data[0];
  show("threads.messages.list with a written file", newest.content);
  const written = newest.content[0].text.annotations[0].file_path.file_id;
  show("files.content of a written file", await (await files.content(written)).text());
}
