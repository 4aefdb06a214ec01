
// As a worker of a page, which stays responsive while the model writes:
let model, current;

onmessage = async ({ data }) => {
  try {
    if (data.model) {
      model = await openModel(fromBase64(data.model), fromBase64(data.engine));
      postMessage({ ready: true });
    } else {
      current = data.id;
      if (data.prompt !== undefined) await write(data);
    }
  } catch (error) {
    postMessage({ id: data.id, failed: error.message });
  }
};

async function write({ id, prompt, options }) {
  const text = model.letters(prompt, options);
  for (;;) {
    const { value, done } = await text.next();
    if (current !== id) return void text.return(); // another text was begun, or this one stopped
    if (done) return postMessage({ id, why: value });
    postMessage({ id, letters: value });
  }
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
