// A model of tavu, and its engine in WebAssembly.

/** What a model reads around a prompt, by the records it was fine-tuned on, in Latin-1; and the labels of a request. */
const READS = {}; // filled in by tavu export

const DEFAULTS = { temperature: 0.8, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, maxBytes: 2048, seed: 0, stop: [] };
const RANGES = {
  temperature: [0, Infinity], topK: [0, 1e9], topP: [Number.MIN_VALUE, 1], minP: [0, 1], repetitionPenalty: [1, Infinity], insist: [0, 10], maxBytes: [1, 2 ** 31],
};
const WHY = ["", "end", "length", "stop"];
const BLOCK = 8; // milliseconds after which others get their turn
const ROOM = 16; // bytes of a piece
const encoder = new TextEncoder();

/** A model from its bytes, and the engine's. */
async function openModel(modelBytes, engineBytes) {
  const { instance } = await WebAssembly.instantiate(engineBytes);
  return new Model(instance.exports, modelBytes);
}

class Model {
  #wasm;
  #bytes;
  #engine;

  constructor(wasm, bytes) {
    wasm._initialize();
    this.#wasm = wasm;
    this.#bytes = this.#put(bytes);
    const room = 1000, message = this.#reserve(room);
    this.#engine = wasm.tavu_open(this.#bytes, bytes.length, message, room);
    if (!this.#engine) throw new Error(new TextDecoder().decode(this.#read(message, room)).split("\0", 1)[0]);
    wasm.free(message);
    /** Facts about the model's training, as `tavu info` shows them. */
    this.facts = factsOf(bytes);
  }

  /** The text that follows a prompt, in pieces that never contain half a character. For options see tavu.d.ts. */
  async *stream(prompt = "", options = {}) {
    for await (const letters of this.letters(prompt, options)) yield letters.map(({ character }) => character).join("");
  }

  /** The same as characters, each with what it cost the model, in bits. Returns why the text ended: "end", "length" or "stop". */
  async *letters(prompt = "", options = {}) {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let cost = 0, begun = performance.now();
    const decoded = (bytes, bits) => {
      const letters = [];
      for (const [i, byte] of bytes.entries()) {
        cost += bits[i];
        for (const character of decoder.decode(new Uint8Array([byte]), { stream: true })) {
          letters.push({ character, bits: cost });
          cost = 0;
        }
      }
      return letters;
    };
    const text = this.#write(this.#prompt(prompt, options), options);
    try {
      for (;;) {
        const { value, done } = text.next();
        if (done) {
          const rest = decoder.decode();
          if (rest) yield [{ character: rest, bits: cost }];
          return value;
        }
        const letters = decoded(value.bytes, value.bits);
        if (letters.length) yield letters;
        if (performance.now() - begun < BLOCK) continue;
        await others();
        begun = performance.now();
      }
    } finally {
      text.return();
    }
  }

  /** Frees the model's memory; it cannot be used after that. */
  close() {
    this.#wasm.tavu_close(this.#engine);
    this.#wasm.free(this.#bytes);
    this.#engine = 0;
  }

  /** The bytes that the model reads. */
  #prompt(prompt, { words = [], features = [], summary = "", sentence = "" }) {
    const kind = this.facts.records, asked = { words, features, summary, sentence };
    const lines = Object.entries(asked).filter(([, value]) => value.length).map(([field, value]) => `${READS.labels[field]}: ${[value].flat().join(", ")}\n`);
    if (lines.length && kind !== "stories") throw new RangeError("This model was not fine-tuned on story requests: give it a beginning instead.");
    if (lines.length) return joined([encoder.encode(`${lines.join("")}${READS.story}:`), latin1(READS.mark), encoder.encode(prompt)]);
    const [before, after] = (prompt && READS.around[kind]) || ["", ""];
    return joined([latin1(before), encoder.encode(kind === "chat" ? prompt.trim() : prompt), latin1(after)]);
  }

  /** The text, in pieces of bytes with their bits. */
  *#write(prompt, options) {
    if (!this.#engine) throw new Error("The model was closed.");
    const wasm = this.#wasm, taken = [], take = (pointer) => (taken.push(pointer), pointer);
    let text = 0;
    try {
      const given = take(this.#put(prompt)), stop = [options.stop ?? []].flat().map((one) => take(this.#put(encoder.encode(`${one}\0`))));
      const stops = take(this.#put(new Uint8Array(new Uint32Array([...stop, 0]).buffer))), settings = take(this.#put(settingsOf(options, stops)));
      text = wasm.tavu_read_text(this.#engine, given, prompt.length, settings);
      if (!text) throw new Error("There is not enough memory to read the prompt.");
      const bytes = take(this.#reserve(ROOM)), bits = take(this.#reserve(4 * ROOM));
      for (;;) {
        const num = wasm.tavu_write_text(text, bytes, bits, ROOM);
        if (num < 0) throw new Error(num === -1 ? "The model outputs NaN instead of probabilities: its file is damaged, or its training diverged." : "Memory ran out.");
        if (!num) return WHY[wasm.tavu_why_ended(text)];
        yield { bytes: this.#read(bytes, num), bits: new Float32Array(this.#read(bits, 4 * num).buffer) };
      }
    } finally {
      if (text) wasm.tavu_free_text(text);
      for (const pointer of taken) wasm.free(pointer);
    }
  }

  #reserve(size) {
    const pointer = this.#wasm.malloc(size || 1);
    if (!pointer) throw new Error("There is not enough memory for the model.");
    return pointer;
  }

  #put(bytes) {
    const pointer = this.#reserve(bytes.length);
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, pointer);
    return pointer;
  }

  #read(pointer, size) {
    return new Uint8Array(this.#wasm.memory.buffer).slice(pointer, pointer + size);
  }
}

/** TavuOptions of tavu.h, as wasm32 lays it out. */
function settingsOf(options, stops) {
  const asksForStory = ["words", "features", "summary", "sentence"].some((field) => options[field]?.length);
  const all = { ...DEFAULTS, insist: asksForStory ? READS.insist : 1, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) };
  for (const [name, [least, most]] of Object.entries(RANGES))
    if (!(all[name] >= least && all[name] <= most)) throw new RangeError(`${name} is ${all[name]}, expected ${least} to ${most}.`);
  if ([all.stop].flat().some((text) => !text || text.includes("\0"))) throw new RangeError("stop has an empty string or a NUL, expected text in each.");
  const view = new DataView(new ArrayBuffer(64)), seed = BigInt(all.seed);
  if (seed < 0n || seed >= 1n << 64n) throw new RangeError(`seed is ${seed}, expected 0 to 2 ** 64 - 1.`);
  [all.temperature, all.topP, all.minP, all.repetitionPenalty, all.insist].forEach((value, i) => view.setFloat64(8 * i, value, true));
  view.setBigUint64(40, seed, true);
  [all.topK, all.maxBytes, stops].forEach((value, i) => view.setUint32(48 + 4 * i, value, true));
  return new Uint8Array(view.buffer);
}

/** tavu's facts in the metadata of a .safetensors. */
function factsOf(bytes) {
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  return JSON.parse(header.__metadata__.tavu.replace(/\b(?:NaN|-?Infinity)\b(?=\s*[,}\]])/g, "null")).facts;
}

const latin1 = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) whole.set(part, at), (at += part.length);
  return whole;
}

/** Lets whatever else waits have its turn: events, pictures. */
function others() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
}
