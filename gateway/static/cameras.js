// What the page knows of each camera: its status, its last events, its minutes, its picture.
import { WIRE } from "./emotions.js";

export const SPAN_S = 300;
const KEPT_EVENTS = 200; // for pictures, and until the minutes are loaded

export const MEDIAN_OF = 20; // events

export const cameras = new Map();
export const link = { gateway: false, redis: true }; // whether each can be reached
export const clock = { ahead_ms: 0, now: () => Date.now() + clock.ahead_ms };

export function cameraOf(name) {
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
    this.lastEventAt = 0; // when the newest event came, by this page's own clock
    this.shown = null; // { event, bitmap }: a picture and the event of that very frame
    this.seconds = [];
    this.count = 0; // events seen since the page was opened
    this.onPicture = () => {};
    this.onEvent = () => {};
    this.waiting = null;
    this.historyUpTo = null; // the last event in the history that was loaded
    this.stale = true; // whether events are missing in the minutes, which are to be loaded (anew)
    this.latestTimestamp = null; // { ms, at }: the newest time of the camera's clock, and when it came
  }

  add(event) {
    this.events.set(event.frame_id, event);
    if (this.events.size > KEPT_EVENTS) this.events.delete(this.events.keys().next().value);
    this.newest = event;
    this.lastEventAt = performance.now();
    this.latestTimestamp = { ms: timeOf(event.frame_id), at: this.lastEventAt };
    this.count += 1;
    if (this.historyUpTo !== null) this.#count(event);
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
    this.historyUpTo = history.last;
    const ms = timeOf(history.last);
    if (ms > (this.latestTimestamp?.ms ?? 0)) this.latestTimestamp = { ms, at: performance.now() - history.age_ms };
    for (const event of this.events.values()) {
      if (later(event.frame_id, history.last) > 0) this.#count(event);
    }
  }

  #count(event) {
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
    return this.latestTimestamp ? this.latestTimestamp.ms + performance.now() - this.latestTimestamp.at : clock.now();
  }

  // Events per second over the last ten, as the gateway counts them.
  fps() {
    return this.status?.analysed_fps ?? 0;
  }

  // The median of a figure over the last twenty events, null without any.
  median(of) {
    const last = [...this.events.values()].slice(-MEDIAN_OF).map(of);
    return last.length ? last.sort((a, b) => a - b)[Math.floor(last.length / 2)] : null;
  }

  // Shares of each emotion (in WIRE order) among the faces of the last minute, null without any.
  recentShares(span_s = 60) {
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

  // What a viewer is to think of the camera: a word, and why; stale: what is shown is not of now.
  // The gateway judges; here its words are shown, and what cuts the page off from them.
  health() {
    if (!link.redis) return { word: "No data", why: "Redis cannot be read", stale: true };
    if (!link.gateway) return { word: "Unknown", why: "the gateway cannot be reached", stale: true };
    const { verdict, reason, stale } = this.status ?? { verdict: "live", reason: "", stale: true };
    return { word: verdict[0].toUpperCase() + verdict.slice(1), why: reason, stale };
  }

  // Whether any picture was analysed in the last minute.
  analysed(span_s = 60) {
    const since = this.now() / 1000 - span_s;
    return this.seconds.some((second) => second.at >= since && second.events);
  }
}

const fromWire = ({ at, events, faces, counts, means }) => ({
  at, events, faces, counts: [...counts], sums: means.map((mean) => mean * faces),
});
