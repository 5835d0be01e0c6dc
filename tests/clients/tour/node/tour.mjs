// Tour every operation with the openai SDK for Node: node tour.mjs [chapter…]
// It needs that SDK and OPENAI_BASE_URL, and prints one line of JSON for each operation, as the tour in Python does.

import OpenAI from "openai";

import { begin } from "./showing.mjs";

const CHAPTERS = ["assistants", "threads", "runs", "tools", "streams", "raw", "errors", "azure", "behind", "files"];

const chosen = process.argv.length > 2 ? process.argv.slice(2) : CHAPTERS;
const client = new OpenAI({ maxRetries: 0 });
for (const chapter of chosen) {
  begin(chapter);
  const { tour } = await import(`./chapters/${chapter}.mjs`);
  await tour(client);
}
