// The page: from a person's wishes to a text that grows, letter by letter, as the worker writes it.
const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about-json").textContent);
const writes = about.kind === "bytes" ? "bytes" : (about.records ?? "text");
const EDGES = [1, 2.5, 4.5, 7]; // bits: below the first nothing is shown
const PER_SECOND = 90; // characters, where the writing is to be watched
let language = navigator.language.startsWith("fi") ? "fi" : "en";
const t = (key) => WORDS[language][`${key}_${writes}`] ?? WORDS[language][key] ?? key;
const counted = (number, unit) => `${number.toLocaleString(language)} ${t(unit)[number === 1 ? 0 : 1]}`;

// The worker: a classic script, since a module made here would need a rule in the policy that lets more run

const worker = new Worker(URL.createObjectURL(new Blob([$("worker").textContent], { type: "text/javascript" })));
worker.onerror = () => problem(t("unable"));
worker.onmessage = ({ data }) => {
  if (data.ready) return ready();
  if (data.failed) return fail(data);
  if (data.id !== text.id) return;
  if (data.letters) text.waiting.push(...data.letters);
  else text.why = data.why;
};
worker.postMessage({ model: $("model").textContent, engine: $("engine").textContent });
for (const id of ["model", "engine", "worker"]) $(id).remove(); // the worker has them now

function ready() {
  $("begin").disabled = false;
  $("begin").dataset.t = "begin";
  $("begin").textContent = t("begin");
}

function fail({ id, failed }) {
  if (id === undefined || id === text.id) problem(failed);
  finish("");
}

function problem(message) {
  $("problem").hidden = !message;
  $("problem").textContent = message;
}

// The text

const text = { id: 0, waiting: [], why: null, growing: false, due: 0, last: 0, spoken: "" };
const list = (words) => words.split(/[,،、，;]/).map((word) => word.trim()).filter(Boolean);
const chance = () => String(Math.floor(Math.random() * 1e6));

function begin() {
  if (!/^[0-9]{1,15}$/.test($("seed").value)) $("seed").value = chance();
  const options = { temperature: Number($("temperature").value), seed: Number($("seed").value), maxBytes: Math.max(1, Math.floor(Number($("length").value)) || 2048) };
  if ($("stop").value) options.stop = $("stop").value;
  if (about.records === "stories") Object.assign(options, { words: list($("words").value), features: [...$("features").querySelectorAll(":checked")].map((box) => box.value) });
  Object.assign(text, { id: text.id + 1, waiting: [], why: null, growing: true, due: 0, last: performance.now(), spoken: "" });
  problem("");
  $("text").replaceChildren();
  $("ended").textContent = "";
  const goesOn = !["chat", "prompts"].includes(about.records); // else the prompt is no part of the text
  if ($("prompt").value) add($("prompt").value + (goesOn ? "" : "\n\n"), "given");
  $("text").setAttribute("aria-busy", "true");
  $("desk").classList.add("growing");
  $("halt").hidden = false;
  if (matchMedia("(max-width: 54rem)").matches) $("desk").scrollIntoView();
  say(t("writing"));
  worker.postMessage({ id: text.id, prompt: $("prompt").value, options });
  requestAnimationFrame(picture);
}

/** Before each picture the text shows what is due. */
function picture(now) {
  if (!text.growing) return;
  const calm = $("pace").value === "calm";
  text.due = calm ? text.due + Math.min(0.1, Math.max(0, (now - text.last) / 1000)) * PER_SECOND : Infinity;
  text.last = now;
  const some = text.waiting.splice(0, Math.min(text.waiting.length, Math.ceil(text.due)));
  text.due = calm ? Math.min(text.due - some.length, 1) : 0;
  for (const { character, bits } of some) add(character, `s${EDGES.filter((edge) => bits >= edge).length}`);
  text.spoken += some.map(({ character }) => character).join("");
  const sentences = text.spoken.match(/^[\s\S]*[.!?]["”]?(?=\s)/);
  if (sentences) {
    text.spoken = text.spoken.slice(sentences[0].length);
    say(sentences[0]);
  }
  if (text.why && !text.waiting.length) return finish(text.why);
  requestAnimationFrame(picture);
}

/** A character at the end of the text, a dot for what has no picture; characters of one kind share an element. */
function add(character, kind) {
  const shown = kind === "given" ? character : character.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/, "·"), last = $("text").lastChild;
  if (last?.className === kind) return last.firstChild.appendData(shown);
  const run = document.createElement("span");
  run.className = kind;
  run.append(document.createTextNode(shown));
  $("text").append(run);
}

function finish(why) {
  if (!text.growing) return;
  text.growing = false;
  $("text").removeAttribute("aria-busy");
  $("desk").classList.remove("growing");
  $("halt").hidden = true;
  const isEmpty = why === "end" && !$("text").querySelector("span:not(.given)");
  $("ended").dataset.t = isEmpty ? "nothing" : why === "length" || why === "stop" ? `${why}_why` : why;
  $("ended").textContent = why && t($("ended").dataset.t);
  say(`${text.spoken} ${why && t("finished")}`);
}

function halt() {
  worker.postMessage({ id: ++text.id });
  finish("halted");
}

/** For those who listen: whole sentences, and when the text is finished. */
function say(sentence) {
  if (!sentence.trim()) return;
  $("spoken").append(Object.assign(document.createElement("p"), { textContent: sentence.trim() }));
  while ($("spoken").childElementCount > 40) $("spoken").firstChild.remove();
}

// What it says of itself, in the person's language

function tell() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = element.dataset.t && t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-l]")) element.setAttribute("aria-label", t(element.dataset.l));
  for (const box of $("features").querySelectorAll("input")) box.nextSibling.textContent = WORDS[language][`f_${box.value}`] ?? box.value;
  const number = (value) => value.toLocaleString(language);
  const facts = [
    ["kind", t(`k_${about.records ?? "none"}`)], ["parameters", number(about.parameters)], ["fileSize", `${number(Math.round(about.file_bytes / 1e5) / 10)} MB`],
    ["context", counted(about.context_bytes, "bytes")],
  ];
  const trained = [[about.train_bytes, "bytes"], [about.train_documents, "documents"]].filter(([count]) => count);
  if (about.train_bytes) facts.push(["trainedOn", trained.map(([count, unit]) => counted(count, unit)).join(", ")]);
  if (about.seconds) facts.push(["trainedFor", about.seconds < 90 ? counted(Math.round(about.seconds), "seconds") : counted(Math.round(about.seconds / 60), "minutes")]);
  if (about.val_bpb) facts.push(["bpb", number(Math.round(about.val_bpb * 1000) / 1000)]);
  if (about.note) facts.push(["noteOf", about.note]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: t(name) }), Object.assign(document.createElement("dd"), { textContent: value }),
  ]));
}

function slide() {
  $("temperature-told").textContent = Number($("temperature").value).toFixed(1);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function look() {
  const wanted = $("look").value;
  document.documentElement.dataset.look = wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted;
}
dark.addEventListener("change", look);

$("composer").onsubmit = (event) => { event.preventDefault(); begin(); };
$("halt").onclick = halt;
$("dice").onclick = () => { $("seed").value = chance(); };
$("temperature").oninput = slide;
$("underlay").onchange = () => $("desk").classList.toggle("plain", !$("underlay").checked);
$("look").onchange = look;
$("language").onchange = () => { language = $("language").value; tell(); };
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && text.growing) halt();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !$("begin").disabled) { event.preventDefault(); begin(); }
});

$("order").hidden = about.records !== "stories";
$("features-field").hidden = !about.features.length;
$("features").append(...about.features.map((feature) => {
  const label = document.createElement("label");
  label.append(Object.assign(document.createElement("input"), { type: "checkbox", value: feature }), document.createElement("span"));
  return label;
}));
$("temperature").value = about.temperature;
$("seed").value = chance();
$("language").value = language;
if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("pace").value = "full";
slide();
look();
tell();
