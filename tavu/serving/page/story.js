// A draft on the desk: its text as it grows, underlaid with surprise; the wishes that it fulfils; to be kept, edited, and gone on from at any point.
import { featureName, t } from "./words.js";
import { characters } from "./stream.js";

const EDGES = [1, 2.5, 4.5, 7]; // bits: below the first nothing is shown
const PER_SECOND = 90; // characters, where the writing is to be watched
const GIVEN = -1; // in place of the level of surprise, of what a person wrote
const level = (bits) => EDGES.filter((edge) => bits >= edge).length;
const given = (text) => [...text].map((character) => ({ character, level: GIVEN }));
/** A dot for what has no picture. */
const seen = (character) => (/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(character) ? "·" : character);
const joined = (letters) => letters.map(({ character }) => character).join("");

/** The wishes that a text was held against, as [name, whether it has it]. */
const checks = (obeyed) => [...Object.entries(obeyed?.words ?? {}), ...Object.entries(obeyed?.features ?? {}).map(([name, has]) => [featureName(name), has])];
const missed = (obeyed) => checks(obeyed).filter(([, has]) => !has).map(([name]) => name);

export class Draft {
  /** `wishes` is what was asked; `text` what stands there before anything is written; `on` has canGoOn, keep, goOn, close, rest and changed. */
  constructor(number, seed, wishes, on, text) {
    Object.assign(this, { number, seed, wishes, on, past: given(text), written: [], waiting: [], tries: [], obeyed: null, stopped: null, pace: "full" });
    this.element = document.createElement("article");
    this.element.className = "draft";
    this.element.innerHTML =
      '<header><h2></h2><span class="seed"></span></header><ul class="wishes"></ul><div class="text" tabindex="0"></div><textarea hidden></textarea>' +
      '<p class="ended soft small"></p><div class="actions"><button class="keep"></button><button class="edit"></button><button class="go-on"></button><button class="close"></button></div>';
    const find = (name) => this.element.querySelector(name);
    [this.shown, this.area, this.ended] = [find(".text"), find("textarea"), find(".ended")];
    [this.keep, this.edit, this.goOn, this.close] = [find(".keep"), find(".edit"), find(".go-on"), find(".close")];
    this.keep.onclick = () => { if (this.editing) this.#read(); on.keep(this); this.element.classList.add("kept"); this.kept = true; this.label(); };
    this.edit.onclick = () => this.#toggle();
    this.goOn.onclick = () => this.#goOn();
    this.close.onclick = () => on.close(this);
    this.#draw();
    this.spokenTo = this.text.length;
    this.label();
  }

  get editing() { return !this.area.hidden; }
  get growing() { return this.element.classList.contains("growing"); }
  get numWhole() { return this.tries.filter((one) => one.ending).length; }
  get missed() { return missed(this.obeyed); }

  label() {
    this.element.querySelector("h2").textContent = `${t("draft")} ${this.number}`;
    this.element.querySelector(".seed").textContent = `${t("seed")} ${this.seed}`;
    this.element.setAttribute("aria-label", `${t("draft")} ${this.number}`);
    for (const place of [this.area, this.shown]) place.setAttribute("aria-label", `${t("copyText")} ${this.number}`);
    this.shown.setAttribute("role", "group");
    this.keep.hidden = this.stopped === "failed";
    this.goOn.hidden = !this.on.canGoOn();
    this.keep.textContent = t(this.kept ? "kept" : "keep");
    this.edit.textContent = t(this.editing ? "done" : "edit");
    this.goOn.textContent = t(this.editing ? "goOnHere" : "goOn");
    this.close.textContent = t("again");
    this.#labelWishes();
    this.ended.textContent = this.growing && this.lacked ? `${t("anew")}: ${this.lacked.join(", ")}.` : this.stopped ? `${t(this.stopped)} ${this.numWhole > 1 ? `${t("best")} ${this.numWhole} ${t("tries")}` : ""}` : "";
  }

  /** Something is written after all that stands there. */
  begin(pace) {
    Object.assign(this, { pace, past: [...this.past, ...this.written], tries: [], lacked: null });
    this.anew();
  }

  /** The server writes it once more: this try is shown in place of the last. */
  anew() {
    if (this.tries.length) this.lacked = missed(this.tries.at(-1).obeyed);
    this.tries.push({ letters: [], ending: null, obeyed: null });
    this.#show(this.tries.at(-1));
    Object.assign(this, { stopped: null, ending: null, obeyed: null });
    this.element.classList.add("growing");
    this.shown.setAttribute("aria-busy", "true");
    for (const button of [this.keep, this.edit, this.goOn]) button.disabled = true;
    this.label();
  }

  /** A piece of the present try; true where that is whole now, and lacks something. */
  take(choice) {
    const now = this.tries.at(-1), letters = characters(choice).map(({ character, bits }) => ({ character, level: level(bits) }));
    now.letters.push(...letters);
    this.waiting.push(...letters);
    if (!choice.finish_reason) return false;
    now.ending = choice.finish_reason === "length" ? "cut" : now.letters.length ? "ended" : "nothing";
    now.obeyed = choice.obeyed ?? null;
    return missed(now.obeyed).length > 0;
  }

  /** No more comes: of the tries that are whole the first that lacks least stays. What waits is still shown, at its pace, unless the person stopped it. */
  end(why) {
    if (!this.growing) return;
    const whole = this.tries.filter((one) => one.ending).sort((one, other) => missed(one.obeyed).length - missed(other.obeyed).length);
    if (why === "halted" && (this.ending || !whole.length)) Object.assign(this, { waiting: [], ending: why, chosen: null });
    if (this.ending) return;
    this.chosen = whole[0];
    this.ending = this.chosen?.ending ?? why;
    if (why === "halted") this.pace = "full";
    if (this.chosen && this.chosen !== this.showing) this.#show(this.chosen);
  }

  /** What is due now is shown. */
  show(seconds) {
    if (!this.growing) return;
    this.due = this.pace === "calm" ? (this.due ?? 0) + seconds * PER_SECOND : Infinity;
    const some = this.waiting.splice(0, Math.floor(Math.min(this.due, this.waiting.length)));
    this.due = this.pace === "calm" ? Math.min(this.due - some.length, 1) : 0;
    for (const letter of some) this.#add(letter, false);
    this.written.push(...some);
    this.text += joined(some);
    if (this.ending && !this.waiting.length) this.#rest();
  }

  /** What the server said of the text as it stands now. */
  judged(obeyed) {
    this.obeyed = obeyed;
    this.#draw();
    this.label();
  }

  /** The sentences that are whole and were not yet said aloud. */
  sentences() {
    const found = this.text.slice(this.spokenTo).match(/^[\s\S]*[.!?]["”]?(?=\s|$)/);
    if (!found) return "";
    this.spokenTo += found[0].length;
    return found[0].trim();
  }

  #show(one) {
    Object.assign(this, { showing: one, written: [], waiting: [...one.letters] });
    this.#draw();
    this.spokenTo = this.text.length;
  }

  #rest() {
    this.stopped = this.ending;
    this.ending = null;
    this.element.classList.remove("growing");
    this.shown.removeAttribute("aria-busy");
    for (const button of [this.keep, this.edit, this.goOn]) button.disabled = false;
    this.judged(this.chosen?.obeyed ?? null);
    this.on.rest(this);
    if (!this.obeyed) this.on.changed(this);
  }

  /** All that is written is set anew, the words that were wished for marked. */
  #draw() {
    const letters = [...this.past, ...this.written], marked = new Set();
    for (const [begin, end] of this.obeyed?.places ?? []) for (let i = begin; i < end; i++) marked.add(i);
    this.shown.replaceChildren();
    for (const [i, letter] of letters.entries()) this.#add(letter, marked.has(i));
    this.text = joined(letters);
  }

  #add({ character, level: strength }, marked) {
    const last = this.shown.lastChild, kind = `${strength} ${marked}`;
    if (last?.dataset.kind === kind) return last.firstChild.appendData(seen(character));
    const run = document.createElement(marked ? "mark" : "span");
    run.dataset.kind = kind;
    if (strength) run.className = strength === GIVEN ? "given" : `s${strength}`;
    run.append(document.createTextNode(seen(character)));
    this.shown.append(run);
  }

  /** Each wish with a tick or a cross, as the text is found to have it or not; a dot where no rule can tell, or not yet. */
  #labelWishes() {
    const asked = [...(this.wishes.request?.words ?? []), ...(this.wishes.request?.features ?? []).map(featureName)], known = new Map(checks(this.obeyed));
    this.element.querySelector(".wishes").replaceChildren(...asked.map((name) => {
      const [kind, sign, told] = { true: ["met", "✓", "has"], false: ["missed", "✗", "lacks"] }[known.get(name)] ?? ["", "·", this.obeyed ? "unseen" : ""];
      const item = Object.assign(document.createElement("li"), { className: kind, title: told && t(told) });
      item.append(Object.assign(document.createElement("i"), { textContent: sign, ariaHidden: "true" }), Object.assign(document.createElement("span"), { className: "unseen", textContent: told && `${t(told)}: ` }), name);
      return item;
    }));
  }

  #read() {
    if (this.area.value === this.text) return;
    Object.assign(this, { past: given(this.area.value), written: [], tries: [], obeyed: null, kept: false, stopped: null });
    this.#draw();
    this.spokenTo = this.text.length;
    this.element.classList.remove("kept");
    this.on.changed(this);
  }

  #toggle() {
    if (this.editing) this.#read();
    else this.area.value = this.text;
    [this.area.hidden, this.shown.hidden] = [this.editing, !this.editing];
    this.label();
    if (this.editing) this.area.focus();
  }

  #goOn() {
    if (this.editing) {
      this.area.value = this.area.value.slice(0, this.area.selectionEnd);
      this.#toggle();
    }
    this.kept = false;
    this.element.classList.remove("kept");
    this.on.goOn(this);
  }
}
