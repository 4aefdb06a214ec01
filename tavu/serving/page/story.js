// A draft on the desk: its text as it grows, underlaid with surprise; to be kept, edited, and gone on from at any point.
import { t } from "./words.js";
import { characters } from "./stream.js";

const EDGES = [1, 2.5, 4.5, 7]; // bits: below the first nothing is shown
const PER_SECOND = 90; // characters, where the writing is to be watched
const level = (bits) => EDGES.filter((edge) => bits >= edge).length;

export class Draft {
  /** `wishes` is what was asked, its prompt being what the text begins with; `on` has keep, goOn and close. */
  constructor(number, seed, wishes, on) {
    Object.assign(this, { number, seed, wishes, on, text: wishes.prompt, waiting: [], stopped: null, pace: "full", spokenTo: wishes.prompt.length });
    this.element = document.createElement("article");
    this.element.className = "draft";
    this.element.innerHTML =
      '<header><h2></h2><span class="seed"></span></header><div class="text" tabindex="0"></div><textarea hidden></textarea>' +
      '<p class="ended soft small"></p><div class="actions"><button class="keep"></button><button class="edit"></button><button class="go-on"></button><button class="close"></button></div>';
    const find = (name) => this.element.querySelector(name);
    [this.shown, this.area, this.ended] = [find(".text"), find("textarea"), find(".ended")];
    [this.keep, this.edit, this.goOn, this.close] = [find(".keep"), find(".edit"), find(".go-on"), find(".close")];
    this.keep.onclick = () => { if (this.editing) this.#read(); on.keep(this); this.element.classList.add("kept"); this.kept = true; this.label(); };
    this.edit.onclick = () => this.#toggle();
    this.goOn.onclick = () => this.#goOn();
    this.close.onclick = () => on.close(this);
    this.#given(this.text);
    this.label();
  }

  get editing() { return !this.area.hidden; }
  get growing() { return this.element.classList.contains("growing"); }

  label() {
    this.element.querySelector("h2").textContent = `${t("draft")} ${this.number}`;
    this.element.querySelector(".seed").textContent = `${t("seed")} ${this.seed}`;
    this.element.setAttribute("aria-label", `${t("draft")} ${this.number}`);
    for (const place of [this.area, this.shown]) place.setAttribute("aria-label", `${t("copyText")} ${this.number}`);
    this.shown.setAttribute("role", "group");
    this.keep.hidden = this.stopped === "failed";
    this.keep.textContent = t(this.kept ? "kept" : "keep");
    this.edit.textContent = t(this.editing ? "done" : "edit");
    this.goOn.textContent = t(this.editing ? "goOnHere" : "goOn");
    this.close.textContent = t("again");
    if (this.stopped) this.ended.textContent = t(this.stopped);
  }

  begin(pace) {
    this.pace = pace;
    [this.stopped, this.ending] = [null, null];
    this.came = 0;
    this.ended.textContent = "";
    this.element.classList.add("growing");
    this.shown.setAttribute("aria-busy", "true");
    for (const button of [this.keep, this.edit, this.goOn]) button.disabled = true;
  }

  take(choice) {
    this.came += choice.text.length;
    this.waiting.push(...characters(choice));
    if (choice.finish_reason) this.end(choice.finish_reason === "stop" ? (this.came ? "ended" : "nothing") : "cut");
  }

  /** No more comes; what waits is still shown, at its pace, unless the person stopped it. */
  end(why) {
    if (!this.growing) return;
    if (why === "halted") [this.waiting, this.ending] = [[], why];
    this.ending ??= why;
  }

  /** What is due now is shown. */
  show(seconds) {
    if (!this.growing) return;
    this.due = this.pace === "calm" ? (this.due ?? 0) + seconds * PER_SECOND : Infinity;
    const some = this.waiting.splice(0, Math.floor(Math.min(this.due, this.waiting.length)));
    this.due = this.pace === "calm" ? Math.min(this.due - some.length, 1) : 0;
    for (const { character, bits } of some) this.#add(character, level(bits));
    this.text += some.map(({ character }) => character).join("");
    if (this.ending && !this.waiting.length) this.#rest();
  }

  /** The sentences that are whole and were not yet said aloud. */
  sentences() {
    const found = this.text.slice(this.spokenTo).match(/^[\s\S]*[.!?]["”]?(?=\s|$)/);
    if (!found) return "";
    this.spokenTo += found[0].length;
    return found[0].trim();
  }

  #rest() {
    this.stopped = this.ending;
    this.ending = null;
    this.element.classList.remove("growing");
    this.shown.removeAttribute("aria-busy");
    for (const button of [this.keep, this.edit, this.goOn]) button.disabled = false;
    this.label();
    this.on.rest(this);
  }

  #add(character, strength) {
    const last = this.shown.lastChild;
    if (last?.dataset?.level === String(strength)) last.firstChild.appendData(character);
    else {
      const span = document.createElement("span");
      span.dataset.level = strength;
      if (strength) span.className = `s${strength}`;
      span.append(document.createTextNode(character));
      this.shown.append(span);
    }
  }

  /** Show a text that a person wrote, or changed: nothing is known of its surprise. */
  #given(text) {
    const given = document.createElement("b");
    given.textContent = text;
    this.shown.replaceChildren(...(text ? [given] : []));
  }

  #read() {
    if (this.area.value === this.text) return;
    this.text = this.area.value;
    this.#given(this.text);
    [this.kept, this.stopped, this.ended.textContent] = [false, null, ""];
    this.element.classList.remove("kept");
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
    this.spokenTo = this.text.length;
    this.on.goOn(this);
  }
}
