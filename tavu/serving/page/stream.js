// The server as any program asks it: /v1/completions as a stream of events, with each byte's log-probability.
import { t } from "./words.js";

export class Locked extends Error {}

export const key = { get: () => sessionStorage.getItem("tavu-key"), set: (value) => sessionStorage.setItem("tavu-key", value) };
const headers = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

const refusal = ({ message, param }) => Object.assign(new Error(message), { param });

async function checked(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(t("unreachable"));
  }
  if (response.status === 401) throw new Locked();
  if (!response.ok) throw refusal((await response.json().catch(() => null))?.error ?? { message: `${response.status}` });
  return response;
}

export const facts = async () => (await checked("studio/facts", {})).json();

/** Calls take(choice) for each piece of each text, until all have ended or the signal says stop. */
export async function write(wishes, signal, take) {
  const body = JSON.stringify({ ...wishes, stream: true, logprobs: 0 });
  const response = await checked("v1/completions", { method: "POST", body, signal, headers: { "Content-Type": "application/json" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read().catch((error) => { throw error.name === "AbortError" ? error : new Error(t("unreachable")); });
    if (done) throw new Error(t("unreachable"));
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const told = JSON.parse(data);
      if (told.error) throw refusal(told.error);
      for (const choice of told.choices) take(choice);
    }
  }
}

/** Each character of a choice's text with its bits: those of its bytes together. */
export function characters(choice) {
  const bits = new Map();
  const told = choice.logprobs ?? { text_offset: [], token_logprobs: [] };
  told.text_offset.forEach((offset, i) => bits.set(offset, (bits.get(offset) ?? 0) - told.token_logprobs[i] / Math.LN2));
  const first = told.text_offset[0] ?? 0;
  return [...choice.text].map((character, i) => ({ character, bits: bits.get(first + i) ?? 0 }));
}
