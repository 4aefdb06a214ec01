export interface Options {
  /** 0 always takes the most likely byte. Default 0.8. */
  temperature?: number;
  /** Keep only the most likely bytes, so many of them. 0, the default, keeps all. */
  topK?: number;
  /** Keep the most likely bytes that together have this probability. Default 1: all. */
  topP?: number;
  /** Keep bytes with at least this fraction of the highest probability. Default 0: all. */
  minP?: number;
  /** Values above 1 discourage repeating earlier text. Default 1. */
  repetitionPenalty?: number;
  /** The longest text, in bytes. Default 2048. */
  maxBytes?: number;
  /** The same seed gives the same text. Default 0. */
  seed?: number | bigint;
  /** Stop before any of these. */
  stop?: string | string[];
  /** For models fine-tuned on story requests: what the story should have. */
  words?: string[];
  features?: string[];
  summary?: string;
  sentence?: string;
  /** How strongly to favor requested words that are still missing: 1 as in training. Default 1.5 with a request. */
  insist?: number;
}

export interface Letter {
  character: string;
  /** What it cost the model: -log2 of its probability. */
  bits: number;
}

export type WhyEnded = "end" | "length" | "stop";

export class Model {
  private constructor();
  /** Facts about the model's training. */
  readonly facts: Record<string, unknown>;
  /** The text that follows a prompt, in pieces as they are written. Throws RangeError for an option out of range. */
  stream(prompt?: string, options?: Options): AsyncGenerator<string, void, undefined>;
  /** The same as characters, each with its bits. Returns why the text ended. */
  letters(prompt?: string, options?: Options): AsyncGenerator<Letter[], WhyEnded, undefined>;
  /** Frees the memory. */
  close(): void;
}

/** A model, and the engine that writes it: each the address of a file, or its bytes. By default the files beside this module. */
export function load(model?: string | URL | ArrayBuffer | Uint8Array, engine?: string | URL | ArrayBuffer | Uint8Array): Promise<Model>;
