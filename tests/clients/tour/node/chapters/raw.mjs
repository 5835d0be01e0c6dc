// The same requests with their HTTP answers: `withResponse` and `asResponse`.

import { user } from "../bodies.mjs";
import { show } from "../showing.mjs";

export async function tour(client) {
  const { assistants, threads } = client.beta;
  const { data: made, response: raw } = await assistants.create({ model: "gpt-4o" }).withResponse();
  show("assistants.with_raw_response.create", [raw.status, headers(raw.headers)]);
  show("assistants.with_raw_response.create, parsed", made);
  const streamed = await assistants.retrieve(made.id).asResponse();
  show("assistants.with_streaming_response.retrieve", [streamed.status, headers(streamed.headers)]);
  show("assistants.with_streaming_response.retrieve, parsed", await streamed.json());
  const deleted = await assistants.delete(made.id).asResponse();
  show("assistants.with_streaming_response.delete, lines", (await deleted.text()).trimEnd().split("\n"));

  const assistant = await assistants.create({ model: "gpt-4o" });
  const thread = await threads.create({ messages: [user("SLOW 0.2\nSAY Slowly.")] });
  const of_thread = { thread_id: thread.id };
  const run = await threads.runs.create(thread.id, { assistant_id: assistant.id });
  const { response } = await threads.runs.retrieve(run.id, of_thread).withResponse();
  show("threads.runs.with_raw_response.retrieve", [response.status, response.headers.has("openai-poll-after-ms")]);
  await threads.runs.cancel(run.id, of_thread);
  const ended = await threads.runs.poll(run.id, of_thread);
  show("threads.runs.cancel, in the middle", ended.status);
}

/** The headers that clients read; of those that differ each time, whether they are there. */
function headers(given) {
  return {
    "content-type": given.get("content-type"),
    "openai-version": given.get("openai-version"),
    "openai-processing-ms": given.has("openai-processing-ms"),
    "x-request-id": (given.get("x-request-id") ?? "").startsWith("req_"),
  };
}
