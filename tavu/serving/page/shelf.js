// The shelf: stories kept in this browser, and taken out of it as files.
import { speaks, t } from "./words.js";

const KEY = "tavu-shelf";
const read = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? []; } catch { return []; } };
let onDesk = () => {};

function store(stories) {
  try { localStorage.setItem(KEY, JSON.stringify(stories)); } catch { throw new Error(t("full_shelf")); }
  show();
}

export function keep(story) { store([{ ...story, kept: new Date().toISOString() }, ...read()]); }

export function begin(take) {
  onDesk = take;
  document.querySelector("#export-text").onclick = () => save("kept.txt", "text/plain", read().map((story) => story.text).join("\n<|endoftext|>\n"));
  document.querySelector("#export-json").onclick = () => save("kept.json", "application/json", JSON.stringify(read(), null, 2));
  window.addEventListener("storage", show);
  show();
}

export function show() {
  const stories = read();
  document.querySelector("#shelved").textContent = stories.length || "";
  for (const id of ["#export-text", "#export-json"]) document.querySelector(id).disabled = !stories.length;
  const list = document.querySelector("#stories");
  list.replaceChildren(...stories.map(item));
  if (!stories.length) list.append(Object.assign(document.createElement("li"), { className: "soft", textContent: t("emptyShelf") }));
}

function item(story, index) {
  const li = document.createElement("li");
  const when = new Date(story.kept).toLocaleString(speaks(), { dateStyle: "medium", timeStyle: "short" });
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const actions = make("div", { className: "actions" });
  actions.append(
    make("button", { textContent: t("onDesk"), onclick: () => onDesk(story) }),
    make("button", { textContent: t("remove"), onclick: () => remove(index) }),
  );
  li.append(make("span", { className: "soft small", textContent: `${when} · ${t("seed")} ${story.seed}` }), make("p", { textContent: story.text }), actions);
  return li;
}

function remove(index) {
  const stories = read(), [gone] = stories.splice(index, 1), undo = document.querySelector("#undo");
  store(stories);
  const back = Object.assign(document.createElement("button"), { textContent: t("undo") });
  back.onclick = () => { const now = read(); now.splice(index, 0, gone); store(now); undo.replaceChildren(); };
  undo.replaceChildren(`${t("removed")} `, back);
  back.focus();
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
