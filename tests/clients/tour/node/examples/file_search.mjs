// Ask about files: notes are searched and cited, a table is plotted, and the chart is downloaded.

import OpenAI, { toFile } from "openai";

const INSTRUCTIONS = "Answer from the notes, in one sentence. Plot with matplotlib, and show the plot.";
const NOTES = "The fourth quarter was the best: the new shop in Lisbon opened in October.";
const TABLE = "quarter,revenue\n1,112.0\n2,130.5\n3,128.0\n4,161.5\n";
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);

async function uploaded(name, text) {
  return client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" });
}

/** The text with its markers as numbers, and the names of the files they cite below it. */
async function withFootnotes(text) {
  let value = text.value;
  const footnotes = [];
  for (const note of text.annotations.filter((one) => one.type === "file_citation")) {
    const number = footnotes.length + 1;
    value = value.replaceAll(note.text, ` [${number}]`);
    footnotes.push(`\n  [${number}] ${(await client.files.retrieve(note.file_citation.file_id)).filename}`);
  }
  return value + footnotes.join("");
}

async function showChart(fileId) {
  const content = Buffer.from(await (await client.files.content(fileId)).arrayBuffer());
  const kind = content.subarray(0, PNG.length).equals(PNG) ? "a PNG image" : "something else";
  console.log(`chart: ${kind} of ${content.length} bytes`);
}

const question = process.argv[2] ?? "Which quarter was the best, and why? Plot the revenue of the attached table too.";
const client = new OpenAI();
const notes = await uploaded("notes.txt", NOTES);
const table = await uploaded("revenue.csv", TABLE);
const store = await client.vectorStores.create({ name: "Notes", file_ids: [notes.id] });
const assistant = await client.beta.assistants.create({
  name: "Librarian",
  model: "gpt-4o",
  instructions: INSTRUCTIONS,
  tools: [{ type: "file_search" }, { type: "code_interpreter" }],
  tool_resources: { file_search: { vector_store_ids: [store.id] } },
});
const thread = await client.beta.threads.create();
const attachments = [{ file_id: table.id, tools: [{ type: "code_interpreter" }] }];
await client.beta.threads.messages.create(thread.id, { role: "user", content: question, attachments });
console.log(`user: ${question}`);

const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
if (run.status !== "completed") throw new Error(`The run ended as ${run.status}: ${run.last_error?.message}`);

const { content } = (await client.beta.threads.messages.list(thread.id, { run_id: run.id })).data[0];
for (const part of content) if (part.type === "text") console.log(`assistant: ${await withFootnotes(part.text)}`);
for (const part of content) if (part.type === "image_file") await showChart(part.image_file.file_id);
