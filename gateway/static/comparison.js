// What a camera's range of time is compared with: another camera, or the same camera a day before.
import { Backoff } from "./backoff.js";
import { cameras } from "./cameras.js";
import { find } from "./dom.js";
import { loadTrend } from "./loading.js";
import { byTitle } from "./order.js";
import { knownUntil, pointsOfTrend } from "./ranges.js";
import { whyNotLoaded } from "./reading.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./ranges.js").Point} Point */

const DAY_BEFORE = "a day before"; // no camera's name has a space
const DAY_MS = 24 * 3600000;
const EVERY_MS = 60000;

let chosen = ""; // stays from camera to camera

export class Comparison {
  /** @type {Point[] | null} */
  #points = null;
  knownUntil = -Infinity; // at this camera's times
  #failed = false;
  #backoff = new Backoff();
  #loads = 0; // answers to earlier requests are dropped
  #loadedAt = 0;
  #options = "";

  /**
   * @param {HTMLElement} section
   * @param {Camera} camera
   * @param {import("./picker.js").RangePicker} picker
   * @param {() => void} onChange
   */
  constructor(section, camera, picker, onChange) {
    this.camera = camera;
    this.picker = picker;
    this.onChange = onChange;
    this.select = /** @type {HTMLSelectElement} */ (find(section, ".compare select"));
    this.select.addEventListener("change", () => {
      chosen = this.select.value;
      this.reload();
      onChange();
    });
    this.draw();
  }

  // The camera whose minutes are shown beside, null for none.
  get #other() {
    if (chosen === DAY_BEFORE) return this.camera;
    return chosen === this.camera.name ? null : cameras.get(chosen) ?? null;
  }

  // What it is called; empty without one.
  get title() {
    const other = this.#other;
    return !other ? "" : other === this.camera ? DAY_BEFORE : other.title;
  }

  // How far its times lie behind this camera's: by a day, or by the difference of two clocks.
  get #behind_ms() {
    const other = this.#other;
    return !other || other === this.camera ? DAY_MS : this.camera.now() - other.now();
  }

  /** @returns {Point[]} at this camera's times */
  points() {
    return (this.#other && this.#points) ?? [];
  }

  get isLoaded() {
    return this.#points !== null;
  }

  // Why they are not all; empty if they are.
  get problem() {
    return whyNotLoaded(this.isLoaded, this.#failed);
  }

  reload() {
    this.#points = null;
    this.knownUntil = -Infinity;
    this.#load();
  }

  // Minutes are loaded again as they come, and after a failure.
  refresh() {
    const age = performance.now() - this.#loadedAt;
    if (this.#failed ? this.#backoff.isDue() : this.picker.live && age > EVERY_MS) this.#load();
  }

  // Always by minutes: the page does not know others' seconds.
  async #load() {
    const other = this.#other;
    const load = this.#loads += 1;
    this.#loadedAt = performance.now();
    this.#failed = false;
    if (!other) return;
    const behind = this.#behind_ms;
    const { span, range } = this.picker;
    const step = range.step || 1;
    const now = other.now();
    try {
      const { points } = await loadTrend(other.name, { from: span.from - behind, to: span.to - behind }, step);
      if (load !== this.#loads) return;
      this.#backoff.succeeded();
      this.knownUntil = knownUntil(step, now) + behind;
      this.#points = pointsOfTrend(points, step, now)
        .map((point) => ({ ...point, from: point.from + behind, to: point.to + behind }));
    } catch {
      if (load !== this.#loads) return;
      this.#failed = true;
      this.#backoff.failed();
    }
    this.onChange();
  }

  // The choices: cameras come and go.
  draw() {
    const others = [...cameras.values()].filter((camera) => camera.status && camera !== this.camera)
      .sort(byTitle).map(({ name, title }) => [name, title]);
    const options = [["", "nothing"], [DAY_BEFORE, DAY_BEFORE], ...others];
    if (JSON.stringify(options) !== this.#options) {
      this.#options = JSON.stringify(options);
      this.select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    }
    this.select.value = this.#other ? chosen : "";
  }
}
