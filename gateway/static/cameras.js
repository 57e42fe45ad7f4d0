// What the page knows of each camera: its status, its last events, its minutes, its picture.
import { WIRE } from "./emotions.js";

export const SPAN_S = 300;
const KEPT_EVENTS = 200; // for pictures, and until the minutes are loaded

const SILENT_MS = 2200; // a camera that brought events all the time and brings none now is down
const FLOWING_FPS = 2; // rarer events than this tell nothing by their absence
const CAPTURED_ON_MS = 200; // its producer captured later than its last event: it is only quiet

export const cameras = new Map();
export const link = { live: false }; // whether events would come
export const clock = { ahead_ms: 0, now: () => Date.now() + clock.ahead_ms };

export function camera(name) {
  if (!cameras.has(name)) cameras.set(name, new Camera(name));
  return cameras.get(name);
}

const timeOf = (id) => Number(id.split("-")[0]);

// Ids are "<milliseconds>-<n>"; as texts they do not sort.
const later = (a, b) => {
  const [am, an] = a.split("-").map(Number);
  const [bm, bn] = b.split("-").map(Number);
  return am - bm || an - bn;
};

class Camera {
  constructor(name) {
    this.name = name;
    this.status = null;
    this.events = new Map(); // by frame id, oldest first
    this.newest = null;
    this.heard = 0; // when the newest event came, by this page's own clock
    this.arrivals = []; // when those of the last seconds came
    this.flow = 0; // events per second when it came
    this.shown = null; // { event, bitmap }: a picture and the event of that very frame
    this.seconds = [];
    this.count = 0; // events seen since the page was opened
    this.onPicture = () => {};
    this.onEvent = () => {};
    this.waiting = null;
    this.counted = null; // the last event in the history that was loaded
    this.stale = true; // whether events are missing in the minutes, which are to be loaded (anew)
    this.told = null; // { ms, heard }: the newest time of the camera's clock, and when it came
  }

  add(event) {
    this.events.set(event.frame_id, event);
    if (this.events.size > KEPT_EVENTS) this.events.delete(this.events.keys().next().value);
    this.newest = event;
    this.heard = performance.now();
    this.told = { ms: timeOf(event.frame_id), heard: this.heard };
    this.arrivals.push({ heard: this.heard, captured: event.captured_ms });
    this.flow = this.fps();
    this.count += 1;
    if (this.counted !== null) this.#countIn(event);
    if (this.waiting?.frameId === event.frame_id) this.#show(this.waiting.bitmap, event);
    this.onEvent();
  }

  // A picture is shown with its own event and never with another's: one whose event is not here
  // yet waits for it. One that is no newer is let go: decoding may bring them out of order.
  offer(frameId, bitmap) {
    const newest = this.waiting?.frameId ?? this.shown?.event.frame_id;
    if (newest && later(frameId, newest) <= 0) return bitmap.close();
    const event = this.events.get(frameId);
    if (event) return this.#show(bitmap, event);
    this.waiting?.bitmap.close();
    this.waiting = { frameId, bitmap };
  }

  #show(bitmap, event) {
    this.waiting = null;
    if (this.shown?.bitmap && this.shown.bitmap !== bitmap) this.shown.bitmap.close();
    this.shown = { bitmap, event };
    this.onPicture();
  }

  load(history) {
    this.seconds = history.seconds.map(fromWire);
    this.counted = history.last;
    const ms = timeOf(history.last);
    if (ms > (this.told?.ms ?? 0)) this.told = { ms, heard: performance.now() - history.age_ms };
    for (const event of this.events.values()) {
      if (later(event.frame_id, history.last) > 0) this.#countIn(event);
    }
  }

  #countIn(event) {
    const at = Math.floor(timeOf(event.frame_id) / 1000);
    let second = this.seconds.at(-1);
    if (!second || second.at < at) {
      second = { at, events: 0, faces: 0, counts: WIRE.map(() => 0), sums: WIRE.map(() => 0) };
      this.seconds.push(second);
    }
    second.events += 1;
    for (const face of event.faces) {
      second.faces += 1;
      second.counts[WIRE.indexOf(face.emotion)] += 1;
      WIRE.forEach((name, i) => { second.sums[i] += face.probabilities[name]; });
    }
    while (this.seconds[0].at <= at - SPAN_S) this.seconds.shift();
  }

  // Now, in milliseconds, by the camera's own clock, which may be wrong: all its times are by it.
  now() {
    return this.told ? this.told.ms + performance.now() - this.told.heard : clock.now();
  }

  // Events per second, over those of the last five seconds.
  fps() {
    const since = performance.now() - 5000;
    while (this.arrivals.length && this.arrivals[0].heard < since) this.arrivals.shift();
    if (this.arrivals.length < 2) return 0;
    // By their capture times, which no network bunches up; but a rate falls once none come.
    const { heard, captured } = this.arrivals[0];
    const span = Math.max(this.newest.captured_ms - captured, this.heard - heard);
    const silence = Math.max(0, performance.now() - this.heard - 1000);
    return (1000 * (this.arrivals.length - 1)) / Math.max(1, span + silence);
  }

  // Median milliseconds from capture to event, of the last twenty.
  latency() {
    const last = [...this.events.values()].slice(-20).map((event) => event.latency.total_ms);
    return last.length ? last.sort((a, b) => a - b)[Math.floor(last.length / 2)] : null;
  }

  // Shares of each emotion (in WIRE order) among the faces of the last minute, null without any.
  lately(span_s = 60) {
    const since = this.now() / 1000 - span_s;
    const sums = WIRE.map(() => 0);
    let faces = 0;
    for (const second of this.seconds) {
      if (second.at < since) continue;
      faces += second.faces;
      second.counts.forEach((count, i) => { sums[i] += count; });
    }
    return faces ? sums.map((sum) => sum / faces) : null;
  }

  // What a viewer is to think of the camera: a word, and why.
  verdict() {
    if (!link.live) return { word: "Unknown", why: "the gateway cannot be reached" };
    const { state, error } = this.status ?? { state: "up", error: "" };
    if (state === "down") return { word: "Down", why: error || "no picture from the camera" };
    if (state === "gone") return { word: "Down", why: "its producer is not heard any more" };
    if (state === "ended") return { word: "Ended", why: "the file was played to its end" };
    if (this.#silent()) return { word: "Down", why: "no new picture comes" };
    return { word: "Live", why: "" };
  }

  // Whether events stopped coming, and not because frames are left out or not analysed: then the
  // producer's newest frame would be newer than the last event. Both times are by its clock.
  #silent() {
    if (this.flow < FLOWING_FPS || performance.now() - this.heard < SILENT_MS) return false;
    return (this.status?.last_frame_ms ?? 0) - this.newest.captured_ms < CAPTURED_ON_MS;
  }
}

const fromWire = ({ at, events, faces, counts, means }) => ({
  at, events, faces, counts: [...counts], sums: means.map((mean) => mean * faces),
});
