// How the tour tells what it saw: one line of JSON for each operation, the wire's own objects in it.

import { APIError } from "openai";

/** What is shown from now on belongs to this chapter. */
export function begin(chapter) {
  console.log(JSON.stringify({ chapter }));
}

/** Print what an operation gave. */
export function show(operation, result) {
  console.log(JSON.stringify({ operation, result }));
}

/** Show the error of the request; there must be one. */
export async function refused(operation, request) {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof APIError) || error.status === undefined) throw error;
    show(operation, { class: error.constructor.name, status: error.status, error: error.error });
    return;
  }
  throw new Error(`${operation} was not refused`);
}

/** Everything an iteration over pages or events gives. */
export async function all(iterable, of = (one) => one) {
  const seen = [];
  for await (const one of iterable) seen.push(of(one));
  return seen;
}
