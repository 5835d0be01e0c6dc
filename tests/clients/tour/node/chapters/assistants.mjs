// Assistants: made, looked at, changed, listed, deleted.

import { WEATHER } from "../bodies.mjs";
import { all, refused, show } from "../showing.mjs";

export async function tour(client) {
  const { assistants } = client.beta;
  show("assistants.create", await assistants.create({ model: "gpt-4o" }));
  const full = await assistants.create({
    model: "gpt-4o",
    name: "Weather desk",
    description: "Knows the weather.",
    instructions: "Be brief.",
    tools: [WEATHER],
    metadata: { team: "desk" },
    temperature: 0.5,
    top_p: 0.9,
    response_format: { type: "text" },
  });
  show("assistants.create with everything", full);
  show("assistants.retrieve", await assistants.retrieve(full.id));
  const changes = { name: "Desk", metadata: { team: "new" }, temperature: 0.2 };
  show("assistants.update", await assistants.update(full.id, changes));
  await list(assistants);
  show("assistants.delete", await assistants.delete(full.id));
  await refused("assistants.retrieve, deleted", assistants.retrieve(full.id));
  await refused("assistants.update, deleted", assistants.update(full.id, { name: "Ghost" }));
  await refused("assistants.delete, deleted", assistants.delete(full.id));
}

async function list(assistants) {
  const name = (assistant) => assistant.name;
  const marker = await assistants.create({ model: "gpt-4o", name: "before the others" });
  for (let number = 0; number < 5; number++) await assistants.create({ model: "gpt-4o", name: `number ${number}` });

  const newest = await assistants.list({ limit: 2 });
  show("assistants.list", newest.body);
  show("assistants.list, has_next_page", newest.hasNextPage());
  const following = await newest.getNextPage();
  show("assistants.list, get_next_page", following.data.map(name));
  const oldestFirst = assistants.list({ limit: 2, order: "asc", after: marker.id });
  show("assistants.list, every page", await all(oldestFirst, name));
  const back = await assistants.list({ limit: 1, before: following.data.at(-1).id });
  show("assistants.list, before", back.data.map(name));
}
