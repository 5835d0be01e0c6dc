// Threads and their messages: made, looked at, changed, listed, deleted.

import { BETA, user } from "../bodies.mjs";
import { all, refused, show } from "../showing.mjs";

export async function tour(client) {
  const { threads } = client.beta;
  show("threads.create", await threads.create());
  const thread = await threads.create({
    messages: [user("One"), { role: "assistant", content: "Two" }],
    metadata: { customer: "7" },
  });
  show("threads.create with messages", thread);
  show("threads.retrieve", await threads.retrieve(thread.id));
  show("threads.update", await threads.update(thread.id, { metadata: { customer: "8" } }));
  // No SDK has a method for it: the operation is an extension.
  show("threads, listed", await client.get("/threads?limit=1", { headers: BETA }));
  await messages(threads.messages, thread.id);
  show("threads.delete", await threads.delete(thread.id));
  await refused("threads.retrieve, deleted", threads.retrieve(thread.id));
  await refused("threads.messages.list, deleted", threads.messages.list(thread.id));
}

async function messages(messages, thread_id) {
  const id = (message) => message.id;
  const three = await messages.create(thread_id, { ...user("Three"), metadata: { n: "3" } });
  show("threads.messages.create", three);
  const cat = { type: "image_url", image_url: { url: "https://example.com/cat.png", detail: "low" } };
  const parts = await messages.create(thread_id, user([{ type: "text", text: "Four" }, cat]));
  show("threads.messages.create with parts", parts);
  show("threads.messages.retrieve", await messages.retrieve(three.id, { thread_id }));
  const changes = { metadata: { n: "three" } };
  show("threads.messages.update", await messages.update(three.id, { thread_id, ...changes }));
  const page = await messages.list(thread_id, { limit: 3 });
  show("threads.messages.list", page.body);
  show("threads.messages.list, get_next_page", (await page.getNextPage()).data);
  const oldestFirst = messages.list(thread_id, { limit: 1, order: "asc" });
  show("threads.messages.list, every page", await all(oldestFirst, id));
  show("threads.messages.delete", await messages.delete(parts.id, { thread_id }));
  await refused("threads.messages.retrieve, deleted", messages.retrieve(parts.id, { thread_id }));
  show("threads.messages.list, after a deletion", await all(messages.list(thread_id), id));
}
