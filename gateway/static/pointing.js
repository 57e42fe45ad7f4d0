// What is read out of a camera over time: under the pointer, or from key to key.
import { lanesOf, stopsOf } from "./people.js";
import { timeAt } from "./plotting.js";
import { trackAt } from "./timeline.js";

/** @typedef {import("./people.js").Showing} Showing */
/** @typedef {import("./people.js").Track} Track */
/** @typedef {{ at: number, track: Track | null, showing: Showing | null }} Stop what a key leads to */

export class Pointing {
  /** @type {number | null} */
  at = null;
  /** @type {Track | null} */
  track = null;
  /** @type {Showing | null} */
  showing = null;
  /** @type {Stop | null} */
  #stop = null;

  /**
   * @param {HTMLCanvasElement} chart
   * @param {HTMLCanvasElement} who
   * @param {import("./rangedata.js").RangeData} data
   * @param {() => void} onChange
   */
  constructor(chart, who, data, onChange) {
    this.who = who;
    this.data = data;
    this.onChange = onChange;
    for (const canvas of [chart, who]) {
      canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => this.#hover(canvas, offsetX, offsetY));
      canvas.addEventListener("pointerleave", () => this.point(null));
      canvas.addEventListener("blur", () => this.point(null));
      canvas.addEventListener("keydown", (press) => this.#step(canvas, press));
    }
  }

  /**
   * The time that is read out, and the track; null for none.
   * @param {number | null} at
   * @param {Track | null} [track]
   * @param {Showing | null} [showing]
   */
  point(at, track = null, showing = null) {
    Object.assign(this, { at, track, showing });
    this.#stop = null;
    this.onChange();
  }

  #tracks() {
    return this.data.people.within(this.data.picker.span);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} x
   * @param {number} y
   */
  #hover(canvas, x, y) {
    const { span } = this.data.picker;
    const at = timeAt(canvas, span, x);
    const near = (2 * (span.to - span.from)) / canvas.clientWidth;
    const lanes = canvas === this.who ? lanesOf(this.#tracks()) : [];
    this.point(at, trackAt(lanes, y, at, near));
  }

  /**
   * Keys move from one point or gap, one track or episode, to the next.
   * @param {HTMLCanvasElement} canvas
   * @param {KeyboardEvent} press
   */
  #step(canvas, press) {
    /** @type {Stop[]} */
    const stops = canvas === this.who ? stopsOf(this.#tracks()) : this.#timeStops();
    const last = stops.length - 1;
    const index = this.#placeIn(stops);
    /** @type {Record<string, number>} */
    const targets = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last };
    const target = targets[press.key];
    if (target === undefined) return;
    press.preventDefault();
    press.stopPropagation(); // elsewhere arrows lead to other cameras
    if (!stops.length) return;
    const stop = stops[Math.min(Math.max(target, 0), last)];
    this.point(Math.max(stop.at, this.data.picker.span.from), stop.track, stop.showing);
    this.#stop = stop;
  }

  /**
   * The place of what was read out last: several may begin at the same time.
   * @param {Stop[]} stops
   */
  #placeIn(stops) {
    const [at, read] = [this.at, this.#stop];
    if (at === null) return stops.length;
    const same = read ? stops.findIndex((stop) =>
      stop.at === read.at && stop.track === read.track && stop.showing?.id === read.showing?.id) : -1;
    return same >= 0 ? same : stops.findLastIndex((stop) => stop.at <= (read?.at ?? at));
  }

  // Points and gaps, each by a time that stays in it while the range moves on.
  #timeStops() {
    const gaps = this.data.unseen().map((gap, i) => (i === 0 ? gap.to - 1 : gap.from));
    const points = this.data.points().map((point) => (point.from + point.to) / 2);
    return [...gaps, ...points].sort((a, b) => a - b).map((at) => ({ at, track: null, showing: null }));
  }
}
