// What is not the Assistants API goes through to the service behind.

import { all, refused, show } from "../showing.mjs";

export async function tour(client) {
  const asked = { model: "gpt-4o", input: "Hello" };
  show("models.retrieve", (await client.models.retrieve("gpt-4o")).id);
  show("models.list", (await all(client.models.list(), (model) => model.id)).includes("gpt-4o"));
  show("responses.create", (await client.responses.create(asked)).output_text);
  const events = await client.responses.create({ ...asked, stream: true });
  show("responses.create, streamed", await all(events, (event) => event.type));
  await refused("responses.retrieve, unknown", client.responses.retrieve("resp_none"));
}
