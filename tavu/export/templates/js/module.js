
// As a module, for browsers, Deno and Node:
//
//   const model = await load("model.safetensors");
//   for await (const piece of model.stream("Once upon a time")) console.log(piece);

export { Model };

/** A model, and the engine that writes it: each the address of a file, or its bytes. */
export async function load(model = new URL("model.safetensors", import.meta.url), engine = new URL("tavu.wasm", import.meta.url)) {
  const [modelBytes, engineBytes] = await Promise.all([bytesOf(model), bytesOf(engine)]);
  return openModel(modelBytes, engineBytes);
}

async function bytesOf(source) {
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) return source instanceof ArrayBuffer ? new Uint8Array(source) : source;
  const response = await fetch(source);
  if (!response.ok) throw new Error(`${source} cannot be loaded: ${response.status} ${response.statusText}.`);
  return new Uint8Array(await response.arrayBuffer());
}
