// A camera over time: who was in view, what they showed, how many they were, and what was not seen.
import { clock } from "./cameras.js";
import { drawChart, timeAt } from "./chart.js";
import { find, findCanvas } from "./dom.js";
import { LANES, WIRE_INDEX, percent } from "./emotions.js";
import { loadEpisodes, loadTrend } from "./loading.js";
import { Moments } from "./moments.js";
import { People, lanesOf, lasting, stopsOf } from "./people.js";
import { RangePicker } from "./picker.js";
import { knownUntil, pointsOfSeconds, pointsOfTrend, timeText, unseen } from "./ranges.js";
import { drawTimeline, heightOf, trackAt } from "./timeline.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./people.js").EpisodeRecord} EpisodeRecord */
/** @typedef {import("./people.js").Showing} Showing */
/** @typedef {import("./people.js").Track} Track */
/** @typedef {import("./ranges.js").Point} Point */
/** @typedef {import("./ranges.js").Span} Span */
/** @typedef {{ at: number, track: Track | null, showing: Showing | null }} Stop what a key leads to */

const SECONDS_GAP_MS = 10000; // between pictures of a slow camera
const SUMMED_EVERY_MS = 60000;

export class OverTime {
  #people = new People();
  /** @type {any[]} */
  #trend = [];
  #since = Infinity; // from when on the records of episodes are complete
  #loads = 0; // answers to earlier requests are dropped
  #loadedAt = 0;
  #loading = Promise.resolve();
  /** @type {number | null} */
  #cursor = null;
  /** @type {Track | null} */
  #chosen = null;
  /** @type {Stop | null} */
  #stop = null;

  /**
   * @param {HTMLElement} section
   * @param {Camera} camera
   */
  constructor(section, camera) {
    this.camera = camera;
    this.canvas = findCanvas(section, ".lanes canvas");
    this.who = findCanvas(section, ".who canvas");
    this.noPeople = find(section, ".no-people");
    this.readout = find(section, ".readout");
    this.picker = new RangePicker(section, camera, () => this.#change());
    this.moments = new Moments(find(section, ".moments"), (moment) => this.#jump(moment.at, moment.track), camera);
    for (const canvas of [this.canvas, this.who]) {
      canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => this.#hover(canvas, offsetX, offsetY));
      canvas.addEventListener("pointerleave", () => this.#point(null));
      canvas.addEventListener("blur", () => this.#point(null));
      canvas.addEventListener("keydown", (press) => this.#step(canvas, press));
    }
    this.reload();
  }

  #change() {
    this.#trend = [];
    this.#people = new People();
    this.#since = Infinity;
    this.#point(null);
    this.#loading = this.reload();
  }

  /**
   * At a change of the range, and if records were missed, everything; else minutes alone, because
   * records come with the events.
   * @param {boolean} withRecords
   */
  async reload(withRecords = true) {
    const load = this.#loads += 1;
    const { range, span } = this.picker;
    this.#loadedAt = performance.now();
    try {
      if (range.step) {
        const { points } = await loadTrend(this.camera.name, span, range.step);
        if (load !== this.#loads) return;
        this.#trend = points;
        this.draw();
      }
      if (!withRecords) return;
      // Records are dated by the clock of Redis, all else by the camera's.
      const offset = clock.now() - this.camera.now();
      const written = { from: span.from + offset, to: span.to + offset };
      const since = await loadEpisodes(this.camera.name, written, range.pages, (records) => {
        if (load === this.#loads) for (const record of records) this.#people.add(record);
      });
      if (load !== this.#loads) return;
      this.#since = since - offset;
    } catch {
      if (load !== this.#loads) return;
      this.#loadedAt = 0; // the next draw tries again
      if (withRecords) this.#since = Infinity;
      return;
    }
    this.draw();
  }

  /** @param {EpisodeRecord} record */
  addEpisode(record) {
    if (this.picker.live) this.#people.add(record);
  }

  /** @param {import("./cameras.js").EmotionEvent} event */
  see(event) {
    if (this.picker.live) this.#people.see(event);
  }

  // Once a second, and when something has changed.
  draw() {
    const { picker, camera } = this;
    const age = performance.now() - this.#loadedAt;
    const due = this.#loadedAt === 0 || (picker.range.step && picker.live && age > SUMMED_EVERY_MS);
    if (due) this.reload(this.#since === Infinity);
    picker.draw();
    this.#drawWho();
    this.#drawChart();
    this.moments.draw(this.#people.moments(picker.span), picker.range.span_ms);
    this.canvas.dataset.seconds = String(camera.seconds.length);
    this.canvas.dataset.points = String(this.#points().length);
    this.canvas.setAttribute("aria-label", `Emotions of the range ${picker.range.name}: ${summary(this.#points())}`);
  }

  #drawWho() {
    const { span, live } = this.picker;
    if (live) this.#people.forget(span.from);
    const tracks = this.#people.within(span);
    const lanes = lanesOf(tracks);
    this.who.style.height = `${heightOf(lanes.length)}px`;
    this.who.dataset.tracks = String(tracks.length);
    this.who.dataset.lanes = String(lanes.length);
    this.who.setAttribute("aria-label", `Who was in view: ${tracks.length} ${tracks.length === 1 ? "person" : "people"}`);
    this.noPeople.hidden = tracks.length > 0;
    drawTimeline(this.who, {
      lanes, span, unseen: this.#unseen(), since: this.#since, cursor: this.#cursor,
      chosen: this.#chosen, numberOf: (track) => this.camera.numberOf(track),
    });
    return lanes;
  }

  #drawChart() {
    const { range, span } = this.picker;
    drawChart(this.canvas, {
      span, points: this.#points(), unseen: this.#unseen(), tick_ms: range.tick_ms,
      gap_ms: this.#gap(), cursor: this.#cursor,
    });
    const ago = this.#cursor === null ? 0 : Math.round((span.to - this.#cursor) / 1000);
    this.canvas.setAttribute("aria-valuemin", String(-range.span_ms / 1000));
    this.canvas.setAttribute("aria-valuenow", String(Math.max(-range.span_ms / 1000, -Math.max(0, ago))));
  }

  #gap() {
    return this.picker.range.step ? 0 : SECONDS_GAP_MS;
  }

  /** @returns {Point[]} */
  #points() {
    const { step } = this.picker.range;
    return step ? pointsOfTrend(this.#trend, step, this.camera.now()) : pointsOfSeconds(this.#ofSeconds());
  }

  // The page knows seconds of the last minutes only.
  #ofSeconds() {
    const { from, to } = this.picker.span;
    return this.camera.seconds.filter(({ at }) => at * 1000 >= from - 1000 && at * 1000 < to);
  }

  #unseen() {
    const { range, span } = this.picker;
    const to = Math.min(span.to, knownUntil(range.step, this.camera.now()));
    return unseen(this.#points(), { from: span.from, to }, this.#gap());
  }

  // Reading out

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} x
   * @param {number} y
   */
  #hover(canvas, x, y) {
    const { span } = this.picker;
    const at = timeAt(canvas, span, x);
    const near = (2 * (span.to - span.from)) / canvas.clientWidth;
    const lanes = canvas === this.who ? lanesOf(this.#people.within(span)) : [];
    this.#point(at, trackAt(lanes, y, at, near));
  }

  /**
   * Keys move from one point or gap, one track or episode, to the next.
   * @param {HTMLCanvasElement} canvas
   * @param {KeyboardEvent} press
   */
  #step(canvas, press) {
    const { span } = this.picker;
    /** @type {Stop[]} */
    const stops = canvas === this.who ? stopsOf(this.#people.within(span)) : this.#timeStops();
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
    this.#point(Math.max(stop.at, span.from), stop.track, stop.showing);
    this.#stop = stop;
  }

  /**
   * The place of what was read out last: several may begin at the same time.
   * @param {Stop[]} stops
   */
  #placeIn(stops) {
    const [cursor, read] = [this.#cursor, this.#stop];
    if (cursor === null) return stops.length;
    const same = read ? stops.findIndex(({ at, track, showing }) =>
      at === read.at && track === read.track && showing?.id === read.showing?.id) : -1;
    return same >= 0 ? same : stops.findLastIndex(({ at }) => at <= (read?.at ?? cursor));
  }

  // Points and gaps, each by a time that stays in it while the range moves on.
  #timeStops() {
    const gaps = this.#unseen().map((gap, i) => (i === 0 ? gap.to - 1 : gap.from));
    const points = this.#points().map((point) => (point.from + point.to) / 2);
    return [...gaps, ...points].sort((a, b) => a - b).map((at) => ({ at, track: null, showing: null }));
  }

  /**
   * @param {number} at
   * @param {string} id of a track
   */
  async #jump(at, id) {
    this.picker.show(at);
    await this.#loading;
    const track = this.#people.tracks.get(id) ?? null;
    this.#point(at, track, null);
    this.who.scrollIntoView({ block: "nearest" });
  }

  /**
   * The time that is read out, and the track; null for none.
   * @param {number | null} at
   * @param {Track | null} [track]
   * @param {Showing | null} [showing]
   */
  #point(at, track = null, showing = null) {
    [this.#cursor, this.#chosen, this.#stop] = [at, track, null];
    this.#drawWho();
    this.#drawChart();
    const text = at === null ? "" : track ? this.#ofTrack(at, track, showing) : this.#ofTime(at);
    this.readout.textContent = text;
    for (const canvas of [this.canvas, this.who]) {
      canvas.setAttribute("aria-valuetext", text || "no moment chosen");
    }
  }

  /**
   * @param {number} at
   * @param {Track} track
   * @param {Showing | null} showing
   */
  #ofTrack(at, track, showing) {
    const { span_ms } = this.picker.range;
    const shown = showing ?? [...track.showings.values()].find(({ start, end }) => start <= at && at <= end);
    const stay = `${track.open ? "in view for" : "was in view for"} ${lasting(track.end - track.start)}`;
    const what = shown ? `${shown.emotion} ${percent(shown.mean)} for ${lasting(shown.end - shown.start)}` : "no lasting emotion";
    return `${timeText(at, span_ms)}: person ${this.camera.numberOf(track.id)}, ${what}; ${stay}`;
  }

  /** @param {number} at */
  #ofTime(at) {
    const { span_ms, step } = this.picker.range;
    const time = (/** @type {number} */ ms) => timeText(ms, span_ms);
    const gap = this.#unseen().find(({ from, to }) => from <= at && at < to);
    if (gap) return `${time(gap.from)} to ${time(gap.to)}: not seen`;
    const point = this.#points().find(({ from, to }) => from <= at && at < to);
    if (!point) return `${time(at)}: ${step ? "not known yet" : "no picture"}`;
    const seen = point.coverage < 0.995 ? `, ${percent(point.coverage)} of it seen` : "";
    return `${time(point.from)}: ${describe(point)}${seen}`;
  }
}

/** @param {Point} point */
function describe({ people, means }) {
  if (people === null) return "people withheld";
  if (!means) return "no one in view";
  const [{ name, mean }] = LANES.map((lane, i) => ({ name: lane, mean: means[WIRE_INDEX[i]] }))
    .sort((a, b) => b.mean - a.mean);
  return `${name} ${percent(mean)}, ${Number(people.toFixed(1))} ${people === 1 ? "person" : "people"} in view`;
}

/**
 * Means over all points, weighted by how many were in view.
 * @param {Point[]} points
 */
function summary(points) {
  const seen = points.filter(({ means }) => means);
  const total = seen.reduce((sum, { people }) => sum + (people ?? 0), 0);
  if (!total) return "none";
  return LANES.map((name, i) => {
    const sum = seen.reduce((all, { people, means }) => all + (people ?? 0) * (means?.[WIRE_INDEX[i]] ?? 0), 0);
    return { name, share: sum / total };
  }).filter(({ share }) => share >= 0.005).map(({ name, share }) => `${name} ${percent(share)}`).join(", ");
}
