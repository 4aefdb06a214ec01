// The studio: from a person's wishes to drafts on the desk; tabs, language and look.
import { counted, featureName, speak, speakOf, speaks, t } from "./words.js";
import { facts, key, Locked, write } from "./stream.js";
import { Draft } from "./story.js";
import * as shelf from "./shelf.js";

const $ = (id) => document.getElementById(id);
const desk = { drafts: [], writing: new Set(), model: null, watching: false, last: 0 };
const answers = () => ["chat", "prompts"].includes(desk.model?.records); // where the prompt is no part of the text
const chance = () => String(Math.floor(Math.random() * 1e6));
const list = (text) => text.split(/[,،、，;]/).map((word) => word.trim()).filter(Boolean);

function problem(error) {
  $("problem").hidden = !error;
  $("problem").textContent = error?.message ?? "";
  if (error instanceof Locked) { $("problem").hidden = true; askKey(); }
}

// Wishes

const INPUTS = new Map(Object.entries({ prompt: "opening", max_tokens: "length", n: "count", seed: "seed", temperature: "temperature", words: "words", summary: "summary", insist: "insist" }));

/** What the server says against a wish (error.param, as request.words.0) stands beside its input; all else in the one box. */
function refused(error) {
  const input = $(INPUTS.get(error.param?.split(".").find((part) => INPUTS.has(part))));
  if (!input) return problem(error);
  const told = Object.assign(document.createElement("p"), { id: `${input.id}-wrong`, className: "wrong small", textContent: error.message });
  told.setAttribute("role", "alert");
  (input.closest(".joined") ?? input).after(told);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", told.id);
  if (input.closest("details")) input.closest("details").open = true;
  input.scrollIntoView({ block: "center" });
}

function clearRefusals() {
  for (const input of $("composer").querySelectorAll("[aria-invalid]")) {
    $(`${input.id}-wrong`).remove();
    for (const name of ["aria-invalid", "aria-describedby"]) input.removeAttribute(name);
  }
}

function wishes() {
  const asked = {
    prompt: $("opening").value, temperature: Number($("temperature").value), seed: Number($("seed").value), n: Number($("count").value),
    max_tokens: Math.min(4096, Math.max(1, Number($("length").value) || 1200)),
  };
  if (desk.model?.records !== "stories") return asked;
  const features = [...$("features").querySelectorAll("input:checked")].map((box) => box.value);
  const request = { words: list($("words").value), features, summary: $("summary").value.trim(), insist: Number($("insist").value) };
  return request.words.length || features.length || request.summary ? { ...asked, request } : asked;
}

async function begin() {
  if (!/^[0-9]{1,15}$/.test($("seed").value)) $("seed").value = chance();
  const asked = wishes();
  for (const one of desk.writing) one.abort();
  const text = asked.prompt && answers() ? `${asked.prompt}\n\n` : asked.prompt;
  const drafts = Array.from({ length: asked.n }, (_, i) => new Draft(i + 1, asked.seed + i, { ...asked, seed: asked.seed + i, n: 1 }, on, text));
  desk.drafts = drafts;
  $("drafts").replaceChildren(...drafts.map((draft) => draft.element));
  $("empty").hidden = true;
  if (matchMedia("(max-width: 54rem)").matches) $("desk").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  clearRefusals();
  await grow(asked, drafts, refused);
}

/** Lets the server write what was asked; choice i goes to draft i. What it refuses goes to `tellRefusal`. */
async function grow(asked, drafts, tellRefusal = problem) {
  problem(null);
  for (const draft of drafts) draft.begin($("pace").value);
  say(t("writing"));
  await attempt(asked, drafts, tellRefusal);
}

/** One try of each draft. Where that lacks a wish that the server can see, another follows, with the seed that `tavu generate --tries` takes for it. */
async function attempt(asked, drafts, tellRefusal) {
  const stopping = new AbortController();
  desk.writing.add(stopping);
  $("halt").hidden = false;
  const open = new Set(drafts);
  watch();
  try {
    await write(asked, stopping.signal, (choice) => {
      const draft = drafts[choice.index];
      if (!desk.drafts.includes(draft)) return;
      const lacksSome = draft.take(choice);
      if (!choice.finish_reason) return;
      open.delete(draft);
      if (!lacksSome || draft.tries.length >= desk.model.tries) return draft.end();
      const seed = asked.seed + choice.index + desk.model.seeds_apart;
      draft.anew();
      attempt({ ...asked, n: 1, seed }, [draft], problem);
    });
  } catch (error) {
    if (error.name === "AbortError") return; // which who stopped it has told the drafts
    for (const draft of open) draft.end("failed");
    tellRefusal(error);
  } finally {
    desk.writing.delete(stopping);
  }
}

/** Before each picture the drafts show what is due, until none grows. */
function watch() {
  if (desk.watching) return;
  desk.watching = true;
  desk.last = performance.now();
  requestAnimationFrame(picture);
}

function picture(now) {
  const seconds = Math.min(0.1, Math.max(0, (now - desk.last) / 1000));
  desk.last = now;
  for (const draft of desk.drafts) draft.show(seconds);
  say(desk.drafts[0]?.growing ? desk.drafts[0].sentences() : "");
  desk.watching = desk.drafts.some((draft) => draft.growing);
  $("halt").hidden = !desk.watching;
  if (desk.watching) requestAnimationFrame(picture);
}

/** What a text has of its wishes, asked anew where a person has changed it, or cut it short. */
async function judge(draft) {
  const { text, wishes } = draft;
  if (!wishes.request || !text) return draft.judged(null);
  try {
    await write({ ...wishes, prompt: text, n: 1, max_tokens: 0 }, undefined, ({ obeyed }) => { if (!draft.growing && draft.text === text) draft.judged(obeyed ?? null); });
  } catch (error) { problem(error); }
}

const on = {
  canGoOn: () => desk.model?.kind !== "bytes" && !answers(),
  changed: judge,
  keep(draft) { try { shelf.keep({ text: draft.text, seed: draft.seed, wishes: draft.wishes, model: desk.model?.name }); say(t("kept")); } catch (error) { problem(error); } },
  goOn(draft) { grow({ ...draft.wishes, prompt: draft.text, n: 1 }, [draft]); },
  close(draft) { draft.end("halted"); draft.element.remove(); desk.drafts = desk.drafts.filter((one) => one !== draft); $("empty").hidden = desk.drafts.length > 0; $("desk").focus(); },
  rest(draft) {
    const missed = draft.missed.length ? `${t("lacks")}: ${draft.missed.join(", ")}.` : "";
    say(`${draft.sentences()} ${t("draft")} ${draft.number} ${t(draft.stopped === "failed" ? "failedNow" : "finished")}. ${missed}`);
  },
};

function halt() {
  for (const draft of desk.drafts) draft.end("halted");
  for (const one of desk.writing) one.abort();
}

/** For those who listen: whole sentences of the first draft, and when each is finished. */
function say(text) {
  if (!text?.trim()) return;
  $("spoken").append(Object.assign(document.createElement("p"), { textContent: text.trim() }));
  while ($("spoken").childElementCount > 40) $("spoken").firstChild.remove();
}

// The model

function tell(model) {
  const number = (value) => value.toLocaleString(speaks());
  speakOf(model.kind === "bytes" ? "bytes" : (model.records ?? "text"));
  speak(speaks());
  for (const draft of desk.drafts) draft.label();
  $("opening").placeholder = model.opening || t("openingExample");
  $("words").placeholder = model.words.join(", ");
  $("summary").placeholder = model.summary;
  $("order").hidden = model.records !== "stories";
  $("features-field").hidden = !model.features.length;
  if (!$("features").childElementCount)
    $("features").append(...model.features.map((feature) => {
      const label = document.createElement("label"), box = Object.assign(document.createElement("input"), { type: "checkbox", value: feature });
      label.append(box, document.createElement("span"));
      return label;
    }));
  for (const box of $("features").querySelectorAll("input")) box.nextSibling.textContent = featureName(box.value);
  $("model-name").textContent = model.name;
  const told = [
    ["kind", t(`k_${model.records ?? "none"}`)], ["parameters", number(model.parameters)], ["fileSize", `${number(Math.round(model.file_bytes / 1e5) / 10)} MB`],
    ["context", counted(model.context_bytes, "bytes")],
  ];
  const text = [[model.train_bytes, "bytes"], [model.train_documents, "documents"]].filter(([count]) => count);
  if (model.train_bytes) told.push(["trainedOn", text.map(([count, unit]) => counted(count, unit)).join(", ")]);
  if (model.seconds) told.push(["trainedFor", model.seconds < 90 ? counted(Math.round(model.seconds), "seconds") : counted(Math.round(model.seconds / 60), "minutes")]);
  if (model.val_bpb) told.push(["bpb", number(Math.round(model.val_bpb * 1000) / 1000)]);
  if (model.note) told.push(["noteOf", model.note]);
  $("facts").replaceChildren(...told.flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: t(name) }), Object.assign(document.createElement("dd"), { textContent: value }),
  ]));
  $("no-report").hidden = Boolean(model.report);
  $("report").hidden = !model.report;
}

const SLIDERS = { temperature: 1, insist: 2 };  // and how many digits of each are shown

function slide(id, value) {
  $(id).value = value;
  $(`${id}-told`).textContent = Number(value).toFixed(SLIDERS[id]);
}

async function meet() {
  try {
    const isFirst = !desk.model;
    desk.model = await facts();
    tell(desk.model);
    if (isFirst) for (const id of Object.keys(SLIDERS)) slide(id, desk.model[id]);
    $("ask-key").close();
  } catch (error) { problem(error); }
}

function askKey() {
  $("key-wrong").hidden = !key.get();
  if (!$("ask-key").open) $("ask-key").showModal();
}

// Tabs, language, look

const tabs = [...document.querySelectorAll("[role=tab]")];
function open(tab, focus = true) {
  for (const one of tabs) {
    one.setAttribute("aria-selected", String(one === tab));
    one.tabIndex = one === tab ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = one !== tab;
  }
  if (tab.id === "tab-training" && desk.model?.report && !$("report").src) $("report").src = desk.model.report;
  if (focus) tab.focus();
}
for (const [i, tab] of tabs.entries()) {
  tab.onclick = () => open(tab);
  tab.onkeydown = (event) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); open(tabs[(to + tabs.length) % tabs.length]); }
  };
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function look() {
  const wanted = $("look").value;
  localStorage.setItem("tavu-look", wanted);
  document.documentElement.dataset.look = wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted;
}
dark.addEventListener("change", look);

$("composer").onsubmit = (event) => { event.preventDefault(); begin(); };
$("key-form").onsubmit = (event) => { event.preventDefault(); key.set($("key").value.trim()); meet(); };
$("halt").onclick = halt;
$("dice").onclick = () => { $("seed").value = chance(); };
for (const id of Object.keys(SLIDERS)) $(id).oninput = () => slide(id, $(id).value);
$("underlay").onchange = () => $("desk").classList.toggle("plain", !$("underlay").checked);
$("look").onchange = look;
$("language").onchange = () => {
  speak($("language").value);
  shelf.show();
  if (desk.model) tell(desk.model);
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("halt").hidden) halt();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !$("write").hidden) { event.preventDefault(); begin(); }
});

$("seed").value = chance();
$("look").value = localStorage.getItem("tavu-look") ?? "auto";
if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("pace").value = "full";
look();
speak(speaks());
$("language").value = speaks();
shelf.begin((story) => {
  const draft = new Draft(desk.drafts.length + 1, story.seed, { ...story.wishes, prompt: story.text }, on, story.text);
  judge(draft);
  desk.drafts.push(draft);
  $("drafts").append(draft.element);
  $("empty").hidden = true;
  open($("tab-write"));
});
meet();
