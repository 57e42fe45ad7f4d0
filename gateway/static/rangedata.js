// What the range of time that a camera's page shows holds: points, records of episodes, gaps.
import { loadEpisodes, loadTrend, recordsAhead } from "./loading.js";
import { People } from "./people.js";
import { knownUntil, pointsOfSeconds, pointsOfTrend, unseen } from "./ranges.js";

/** @typedef {import("./ranges.js").Point} Point */

const SUMMED_EVERY_MS = 60000;

export class RangeData {
  people = new People();
  since = Infinity; // from when on the records of episodes that Redis keeps are loaded
  kept = -Infinity; // from when on Redis keeps any
  /** @type {any[]} */
  #trend = [];
  #loads = 0; // answers to earlier requests are dropped
  #loadedAt = 0;

  /**
   * @param {import("./cameras.js").Camera} camera
   * @param {import("./picker.js").RangePicker} picker
   * @param {() => void} onLoaded
   */
  constructor(camera, picker, onLoaded) {
    this.camera = camera;
    this.picker = picker;
    this.onLoaded = onLoaded;
  }

  // Of another range nothing is known yet.
  clear() {
    this.#trend = [];
    this.people = new People();
    this.since = Infinity;
  }

  // Minutes are loaded again as they come, and all after a failure.
  refresh() {
    const age = performance.now() - this.#loadedAt;
    const isOld = this.picker.range.step && this.picker.live && age > SUMMED_EVERY_MS;
    if (this.#loadedAt === 0 || isOld) this.load(this.since === Infinity);
  }

  /**
   * At a change of the range, and if records were missed, everything; else minutes alone, because
   * records come with the events.
   * @param {boolean} withRecords
   */
  async load(withRecords = true) {
    const load = this.#loads += 1;
    const { range, span } = this.picker;
    this.#loadedAt = performance.now();
    try {
      if (range.step) {
        const { points } = await loadTrend(this.camera.name, span, range.step);
        if (load !== this.#loads) return;
        this.#trend = points;
        this.onLoaded();
      }
      if (!withRecords) return;
      const offset = recordsAhead(this.camera);
      const written = { from: span.from + offset, to: span.to + offset };
      const { since, kept } = await loadEpisodes(this.camera.name, written, (records) => {
        if (load === this.#loads) for (const record of records) this.people.add(record);
      });
      if (load !== this.#loads) return;
      [this.since, this.kept] = [since - offset, kept - offset];
    } catch {
      if (load !== this.#loads) return;
      this.#loadedAt = 0; // the next draw tries again
      if (withRecords) this.since = Infinity;
      return;
    }
    this.onLoaded();
  }

  // The longest pause over which a line is drawn.
  get gap_ms() {
    return this.picker.range.step ? 0 : this.camera.gap_ms;
  }

  /** @returns {Point[]} */
  points() {
    const { step } = this.picker.range;
    return step ? pointsOfTrend(this.#trend, step, this.camera.now()) : pointsOfSeconds(this.#seconds());
  }

  // The page knows seconds of the last minutes only.
  #seconds() {
    const { from, to } = this.picker.span;
    return this.camera.seconds.filter(({ at }) => at * 1000 >= from - 1000 && at * 1000 < to);
  }

  /** @param {Point[]} points */
  unseen(points = this.points()) {
    const { range, span } = this.picker;
    const to = Math.min(span.to, knownUntil(range.step, this.camera.now()));
    return unseen(points, { from: span.from, to }, this.gap_ms);
  }
}
