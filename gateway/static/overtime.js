// A camera over time: who was in view, what they showed, how many they were, and what was not seen.
import { drawAxis } from "./axis.js";
import { drawChart } from "./chart.js";
import { Comparison } from "./comparison.js";
import { find, findCanvas } from "./dom.js";
import { Moments } from "./moments.js";
import { lanesOf } from "./people.js";
import { RangePicker } from "./picker.js";
import { Pointing } from "./pointing.js";
import { RangeData } from "./rangedata.js";
import { reachOf } from "./reach.js";
import { averages, ofCompared, ofTime, ofTrack, sinceText, summary, whyNothing } from "./reading.js";
import { drawTimeline, heightOf } from "./timeline.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./people.js").EpisodeRecord} EpisodeRecord */

export class OverTime {
  #loading = Promise.resolve();

  /**
   * @param {HTMLElement} section
   * @param {Camera} camera
   */
  constructor(section, camera) {
    this.camera = camera;
    this.canvas = findCanvas(section, ".lanes canvas");
    this.axis = find(section, ".axis");
    this.who = findCanvas(section, ".who canvas");
    this.noPeople = find(section, ".no-people");
    this.peopleSince = find(section, ".people-since");
    this.readout = find(section, ".readout");
    this.compared = find(section, ".compared");
    this.picker = new RangePicker(section, camera, () => this.#change());
    this.data = new RangeData(camera, this.picker, () => this.draw());
    this.comparison = new Comparison(section, camera, this.picker, () => this.draw());
    this.moments = new Moments(find(section, ".moments"), (moment) => this.#jump(moment.at, moment.track), camera);
    this.pointing = new Pointing(this.canvas, this.who, this.data, () => this.#point());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.reload();
  }

  #change() {
    this.data.clear();
    this.pointing.point(null);
    this.#loading = this.reload();
  }

  reload() {
    this.comparison.reload();
    return this.data.load();
  }

  /** @param {EpisodeRecord} record */
  addEpisode(record) {
    if (this.picker.live) this.data.people.add(record);
  }

  /** @param {import("./cameras.js").EmotionEvent} event */
  see(event) {
    if (this.picker.live) this.data.people.see(event);
  }

  // Once a second, and when something has changed.
  draw() {
    const { picker, camera, data } = this;
    data.refresh();
    this.comparison.refresh();
    picker.draw();
    this.comparison.draw();
    const points = data.points();
    this.#drawWho();
    this.#drawChart(points);
    this.#drawCompared(points);
    this.moments.draw(data.people.moments(picker.span), this.#reach(points), picker.span, picker.range.span_ms);
    this.canvas.dataset.seconds = String(camera.seconds.length);
    this.canvas.dataset.points = String(points.length);
    this.canvas.setAttribute("aria-label", `Emotions of the range ${picker.range.name}: ${data.isLoaded ? summary(points) : data.problem}`);
    if (this.pointing.at === null) this.readout.textContent = data.problem;
  }

  #reach(points = this.data.points()) {
    return reachOf(this.data, points, this.picker.span.from);
  }

  #drawWho() {
    const { people } = this.data;
    const { span, live } = this.picker;
    if (live) people.forget(span.from);
    const tracks = people.within(span);
    const lanes = lanesOf(tracks);
    this.who.style.height = `${heightOf(lanes.length)}px`;
    this.who.dataset.tracks = String(tracks.length);
    this.who.dataset.lanes = String(lanes.length);
    this.who.setAttribute("aria-label", `Who was in view: ${tracks.length} ${tracks.length === 1 ? "person" : "people"}`);
    const reach = this.#reach();
    this.noPeople.hidden = tracks.length > 0;
    this.noPeople.textContent = whyNothing("No person is recorded", reach, span);
    this.peopleSince.hidden = !tracks.length || !reach.missing;
    this.peopleSince.textContent = `Persons ${sinceText(reach, span)}`;
    drawTimeline(this.who, {
      lanes, span, unseen: this.data.unseen(), reach, cursor: this.pointing.at,
      chosen: this.pointing.track, numberOf: (track) => this.camera.numberOf(track),
    });
  }

  #drawChart(points = this.data.points()) {
    const { range, span } = this.picker;
    const { at } = this.pointing;
    drawChart(this.canvas, {
      span, points, compared: this.comparison.points(), unseen: this.data.unseen(points),
      tick_ms: range.tick_ms, gap_ms: this.data.gap_ms, cursor: at,
    });
    drawAxis(this.axis, span, range.tick_ms);
    const ago = at === null ? 0 : Math.round((span.to - at) / 1000);
    this.canvas.setAttribute("aria-valuemin", String(-range.span_ms / 1000));
    this.canvas.setAttribute("aria-valuenow", String(Math.max(-range.span_ms / 1000, -Math.max(0, ago))));
  }

  /** @param {import("./ranges.js").Point[]} points */
  #drawCompared(points) {
    const { title } = this.comparison;
    const beside = this.comparison.points();
    const [own, others] = [averages(this.data, points), averages(this.comparison, beside)];
    this.compared.textContent = title && `${this.camera.title}: ${own}. Dashed, ${title}: ${others}.`;
    this.compared.hidden = !title;
    this.canvas.dataset.compared = String(beside.length);
  }

  /**
   * Show a moment. The focus goes along: the list of moments is another one then.
   * @param {number} at
   * @param {string} id of a track
   */
  async #jump(at, id) {
    this.who.focus({ preventScroll: true });
    this.picker.show(at);
    await this.#loading;
    this.pointing.point(at, this.data.people.tracks.get(id) ?? null);
    this.who.scrollIntoView({ block: "nearest" });
  }

  #point() {
    this.#drawWho();
    this.#drawChart();
    const text = this.#read();
    this.readout.textContent = text || this.data.problem;
    for (const canvas of [this.canvas, this.who]) {
      canvas.setAttribute("aria-valuetext", text || "no moment chosen");
    }
  }

  #read() {
    const { at, track, showing } = this.pointing;
    const { range } = this.picker;
    if (at === null) return "";
    if (track) return ofTrack(at, track, showing, this.camera.numberOf(track.id), range);
    const { title } = this.comparison;
    const beside = title ? `; ${ofCompared(at, this.comparison.points(), title, this.comparison.knownUntil)}` : "";
    return ofTime(at, this.data.points(), this.data.unseen(), range, this.data.knownUntil) + beside;
  }
}
