// Which range of time is shown: its length, and whether it ends now or at an earlier time.
import { find, findLink } from "./dom.js";
import { recordsAhead } from "./loading.js";
import { RANGES, exportPath, rangeOf, timeText } from "./ranges.js";

/** @typedef {import("./ranges.js").Span} Span */

const KINDS = ["events", "episodes", "minutes"];
const HOUR_MS = 3600000;

let chosen = "5min"; // stays from camera to camera

export class RangePicker {
  #key = chosen;
  /** @type {number | null} */
  #end = null; // null: now

  /**
   * @param {HTMLElement} section
   * @param {import("./cameras.js").Camera} camera
   * @param {() => void} onChange
   */
  constructor(section, camera, onChange) {
    this.camera = camera;
    this.onChange = onChange;
    this.text = find(section, ".span");
    this.exports = find(section, ".exports");
    this.buttons = RANGES.map(({ key, name }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset.range = key;
      button.addEventListener("click", () => this.#choose(key, this.#end));
      return button;
    });
    find(section, ".ranges").append(...this.buttons);
    this.now = /** @type {HTMLButtonElement} */ (find(section, ".now"));
    this.now.addEventListener("click", () => this.#choose(this.#key, null));
    this.later = /** @type {HTMLButtonElement} */ (find(section, ".later"));
    this.later.addEventListener("click", () => this.#shift(1));
    this.earlier = /** @type {HTMLButtonElement} */ (find(section, ".earlier"));
    this.earlier.addEventListener("click", () => this.#shift(-1));
    this.draw();
  }

  get range() {
    return rangeOf(this.#key);
  }

  get live() {
    return this.#end === null;
  }

  /** @returns {Span} by the camera's clock */
  get span() {
    const to = this.#end ?? this.camera.now();
    return { from: to - this.range.span_ms, to };
  }

  /**
   * A range in which the time can be made out: an hour around it where a longer one is shown.
   * @param {number} at
   */
  show(at) {
    if (this.range.span_ms <= HOUR_MS) return;
    const end = at + HOUR_MS / 2;
    this.#choose("1h", end < this.camera.now() ? end : null);
  }

  /** @param {number} by */
  #shift(by) {
    const end = this.span.to + by * this.range.span_ms;
    // Seconds are known of the last minutes only.
    const key = this.#key === "5min" ? "1h" : this.#key;
    this.#choose(key, end < this.camera.now() ? end : null);
  }

  /**
   * @param {string} key
   * @param {number | null} end
   */
  #choose(key, end) {
    chosen = key;
    this.#key = key;
    this.#end = key === "5min" ? null : end;
    this.draw();
    this.onChange();
  }

  draw() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.range === this.#key));
    }
    for (const button of [this.now, this.later]) button.disabled = this.live;
    const { from, to } = this.span;
    const { span_ms } = this.range;
    this.text.textContent = `${timeText(from, span_ms)} – ${this.live ? "now" : timeText(to, span_ms)}`;
    for (const kind of KINDS) {
      const ahead = kind === "episodes" ? recordsAhead(this.camera) : 0;
      for (const format of ["csv", "jsonl"]) {
        const span = { from: from + ahead, to: to + ahead };
        findLink(this.exports, `.${kind}.${format}`).href = exportPath(this.camera.name, kind, format, span);
      }
    }
  }
}
