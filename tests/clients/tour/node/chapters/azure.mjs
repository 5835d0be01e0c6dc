// Azure's class of the same SDK: the key in a header of its own, a version on every call, another path.

import { AzureOpenAI } from "openai";

import { user } from "../bodies.mjs";
import { all, refused, show } from "../showing.mjs";

export async function tour(client) {
  const azure = new AzureOpenAI({
    endpoint: client.baseURL.replace(/\/v1\/?$/, ""),
    apiKey: client.apiKey,
    apiVersion: "2024-05-01-preview",
    baseURL: null, // the client of the other chapters has it from OPENAI_BASE_URL
  });
  const { assistants, threads } = azure.beta;
  const assistant = await assistants.create({ model: "gpt-4o" });
  show("azure, assistants.create", assistant);
  const assistant_id = assistant.id;
  const thread = { messages: [user("SAY Good morning")] };
  const run = await threads.createAndRunPoll({ assistant_id, thread });
  show("azure, threads.create_and_run_poll", run.status);
  const events = await all(threads.runs.stream(run.thread_id, { assistant_id }), (event) => event.event);
  show("azure, threads.runs.stream", events);
  const listed = threads.messages.list(run.thread_id, { limit: 1, order: "asc" });
  show("azure, threads.messages.list, every page", await all(listed, (message) => message.role));
  await refused("azure, assistants.retrieve, unknown", assistants.retrieve("asst_none"));
}
