// What the range of time that a camera's page shows holds: points, records of episodes, gaps.
import { Backoff } from "./backoff.js";
import { loadEpisodes, loadTrend, recordsAhead } from "./loading.js";
import { People } from "./people.js";
import { knownUntil, pointsOfSeconds, pointsOfTrend, unseen } from "./ranges.js";
import { whyNotLoaded } from "./reading.js";

/** @typedef {import("./ranges.js").Point} Point */

const SUMMED_EVERY_MS = 60000;

export class RangeData {
  people = new People();
  since = Infinity; // from when on the records of episodes that Redis keeps are loaded
  kept = -Infinity; // from when on Redis keeps any
  /** @type {{ points: any[], now: number } | null} minutes, and when they were asked for by the camera's clock */
  #trend = null;
  #loads = 0; // answers to earlier requests are dropped
  #loadedAt = 0;
  #failed = false;
  #backoff = new Backoff();

  /**
   * @param {import("./cameras.js").Camera} camera
   * @param {import("./picker.js").RangePicker} picker
   * @param {() => void} onLoaded
   * @param {{ loadTrend: typeof loadTrend, loadEpisodes: typeof loadEpisodes }} loaders
   */
  constructor(camera, picker, onLoaded, loaders = { loadTrend, loadEpisodes }) {
    this.camera = camera;
    this.picker = picker;
    this.onLoaded = onLoaded;
    this.loaders = loaders;
  }

  // Of another range nothing is known yet.
  clear() {
    this.#trend = null;
    this.people = new People();
    this.since = Infinity;
  }

  // Minutes are loaded again as they come, and all after a failure.
  refresh() {
    const age = performance.now() - this.#loadedAt;
    const isOld = this.picker.range.step && this.picker.live && age > SUMMED_EVERY_MS;
    if (this.#failed ? this.#backoff.isDue() : isOld) this.load(this.since === Infinity);
  }

  /**
   * At a change of the range, and if records were missed, everything; else minutes alone, because
   * records come with the events.
   * @param {boolean} withRecords
   */
  async load(withRecords = true) {
    const load = this.#loads += 1;
    this.#loadedAt = performance.now();
    this.#failed = false;
    try {
      await this.#loadPoints(load);
      if (withRecords && load === this.#loads) await this.#loadRecords(load);
    } catch {
      if (load !== this.#loads) return;
      this.#failed = true;
      this.#backoff.failed();
      if (withRecords) this.since = Infinity;
    }
    if (load !== this.#loads) return;
    if (!this.#failed) this.#backoff.succeeded();
    this.onLoaded();
  }

  /** @param {number} load */
  async #loadPoints(load) {
    const { range, span } = this.picker;
    if (!range.step) return;
    const now = this.camera.now();
    const { points } = await this.loaders.loadTrend(this.camera.name, span, range.step);
    if (load !== this.#loads) return;
    this.#trend = { points, now };
    this.onLoaded();
  }

  /** @param {number} load */
  async #loadRecords(load) {
    const { span } = this.picker;
    const ahead = recordsAhead(this.camera);
    const written = { from: span.from + ahead, to: span.to + ahead };
    const { since, kept } = await this.loaders.loadEpisodes(this.camera.name, written, (records) => {
      if (load === this.#loads) for (const record of records) this.people.add(record);
    });
    if (load === this.#loads) [this.since, this.kept] = [since - ahead, kept - ahead];
  }

  // Whether what was seen in the range is known, up to `knownUntil`. Seconds are loaded with the camera.
  get isLoaded() {
    return this.picker.range.step ? this.#trend !== null : this.camera.minutes === "complete";
  }

  // Why what is shown is not all; empty if it is.
  get problem() {
    const failed = this.#failed || (!this.picker.range.step && this.camera.minutes === "failed");
    return whyNotLoaded(this.isLoaded, failed);
  }

  // The longest pause over which a line is drawn.
  get gap_ms() {
    return this.picker.range.step ? 0 : this.camera.gap_ms;
  }

  /** @returns {Point[]} */
  points() {
    const { step } = this.picker.range;
    if (!step) return pointsOfSeconds(this.#seconds());
    return this.#trend ? pointsOfTrend(this.#trend.points, step, this.#trend.now) : [];
  }

  // The page knows seconds of the last minutes only.
  #seconds() {
    const { from, to } = this.picker.span;
    return this.camera.seconds.filter(({ at }) => at * 1000 >= from - 1000 && at * 1000 < to);
  }

  // The time up to which a pause is a gap: what is later may only not be loaded.
  get knownUntil() {
    const { step } = this.picker.range;
    if (!this.isLoaded) return -Infinity;
    return step ? knownUntil(step, this.#trend?.now ?? 0) : this.camera.knownUntil;
  }

  /** @param {Point[]} points */
  unseen(points = this.points()) {
    const { span } = this.picker;
    const to = Math.min(span.to, this.knownUntil);
    return unseen(points, { from: span.from, to }, this.gap_ms);
  }
}
