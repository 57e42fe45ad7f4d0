// The data of each camera: its status, its last events, its minutes, its picture.
import { later, timeOf } from "./frameids.js";
import { healthOf, isLinked } from "./link.js";
import { addEvent, fromWire, gapAfter, sharesSince } from "./seconds.js";

/** @typedef {import("./messages.js").Face} Face */
/** @typedef {import("./messages.js").Latency} Latency */
/** @typedef {import("./messages.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./messages.js").CameraStatus} CameraStatus */
/** @typedef {import("./seconds.js").Second} Second */
/** @typedef {import("./seconds.js").WireSecond} WireSecond */

const KEPT_EVENTS = 200; // for pictures, and until the minutes are loaded
const LATE = { ms: 2000, periods: 4 }; // a picture behind the newest event, as events for the verdict

export const MEDIAN_OF = 20; // events

/** @type {Map<string, Camera>} */
export const cameras = new Map();
export const clock = { ahead_ms: 0, now: () => Date.now() + clock.ahead_ms };

/**
 * @param {string} name
 * @returns {Camera}
 */
export function cameraOf(name) {
  const camera = cameras.get(name) ?? new Camera(name);
  cameras.set(name, camera);
  return camera;
}

/**
 * A rate as text; a camera with one picture in three seconds must not have "0.0".
 * @param {number} fps
 */
export const rate = (fps) => `${fps.toFixed(fps < 1 ? 2 : 1)} fps`;

export class Camera {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {CameraStatus | null} */
    this.status = null;
    /** @type {Map<string, EmotionEvent>} */
    this.events = new Map(); // by frame id, oldest first
    /** @type {EmotionEvent | null} */
    this.newest = null;
    this.lastEventAt = 0; // when the newest event came, by this page's own clock
    /** @type {{ event: EmotionEvent, bitmap: ImageBitmap } | null} */
    this.shown = null; // a picture and the event of the same frame
    /** @type {Second[]} */
    this.seconds = [];
    this.count = 0; // events seen since the page was opened
    this.onPicture = () => {};
    this.onEvent = () => {};
    /** @type {{ frameId: string, bitmap: ImageBitmap } | null} */
    this.waiting = null; // a picture whose event has not arrived
    /** @type {string | null} */
    this.historyUpTo = null; // the last event in the history that was loaded
    /** @type {import("./link.js").Health | null} */
    this.shownHealth = null; // what was announced last
    this.stale = true; // whether events are missing in the minutes, which have to be loaded (again)
    /** @type {"loading" | "failed" | "complete"} */
    this.minutes = "loading"; // whether a pause in them is one of the camera
    /** @type {{ ms: number, at: number } | null} */
    this.latestTimestamp = null; // the newest time of the camera's clock, and when it came
    /** @type {Map<string, number>} */
    this.numbers = new Map(); // of tracks
  }

  /** @param {EmotionEvent} event */
  add(event) {
    this.events.set(event.frame_id, event);
    if (this.events.size > KEPT_EVENTS) this.events.delete(String(this.events.keys().next().value));
    this.newest = event;
    this.lastEventAt = performance.now();
    this.latestTimestamp = { ms: timeOf(event.frame_id), at: this.lastEventAt };
    this.count += 1;
    if (this.historyUpTo !== null) addEvent(this.seconds, event);
    if (this.waiting?.frameId === event.frame_id) this.#show(this.waiting.bitmap, event);
    this.onEvent();
  }

  /**
   * A picture is shown with its own event only: if that has not arrived, the picture waits for it.
   * One that is not newer is dropped, because decoding may finish out of order.
   * @param {string} frameId
   * @param {ImageBitmap} bitmap
   */
  offer(frameId, bitmap) {
    const newest = this.waiting?.frameId ?? this.shown?.event.frame_id;
    if (newest && later(frameId, newest) <= 0) return bitmap.close();
    const event = this.events.get(frameId);
    if (event) return this.#show(bitmap, event);
    this.waiting?.bitmap.close();
    this.waiting = { frameId, bitmap };
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {EmotionEvent} event
   */
  #show(bitmap, event) {
    this.waiting = null;
    if (this.shown?.bitmap && this.shown.bitmap !== bitmap) this.shown.bitmap.close();
    this.shown = { bitmap, event };
    this.onPicture();
  }

  /** @param {{ seconds: WireSecond[], last: string, age_ms: number }} history */
  load(history) {
    this.seconds = history.seconds.map(fromWire);
    this.historyUpTo = history.last;
    this.minutes = this.stale ? "loading" : "complete";
    const ms = timeOf(history.last);
    if (ms > (this.latestTimestamp?.ms ?? 0)) this.latestTimestamp = { ms, at: performance.now() - history.age_ms };
    for (const event of this.events.values()) {
      if (later(event.frame_id, history.last) > 0) addEvent(this.seconds, event);
    }
  }

  // What people call it.
  get title() {
    return this.status?.title || this.name;
  }

  /**
   * A short number for a track, which stays while the page is open.
   * @param {string} track
   */
  numberOf(track) {
    const number = this.numbers.get(track) ?? this.numbers.size + 1;
    this.numbers.set(track, number);
    return number;
  }

  // Now, in milliseconds, by the camera's own clock, which may be wrong: all its times are by it.
  now() {
    return this.latestTimestamp ? this.latestTimestamp.ms + performance.now() - this.latestTimestamp.at : clock.now();
  }

  // The time up to which the minutes hold all events.
  get knownUntil() {
    return isLinked() ? this.now() : this.latestTimestamp?.ms ?? -Infinity;
  }

  // Events per second over the last ten, as the gateway counts them.
  fps() {
    return this.status?.analysed_fps ?? 0;
  }

  /**
   * The median of a figure over the last twenty events, null without any.
   * @param {(event: EmotionEvent) => number} of
   */
  median(of) {
    const last = [...this.events.values()].slice(-MEDIAN_OF).map(of);
    return last.length ? last.sort((a, b) => a - b)[Math.floor(last.length / 2)] : null;
  }

  // The longest pause between its events that is not a gap.
  get gap_ms() {
    return gapAfter(this.seconds, this.status?.fps ?? 0);
  }

  // Shares of each emotion (in WIRE order) among the labels of the last minute, null without any.
  recentShares(span_s = 60) {
    return sharesSince(this.seconds, this.now() / 1000 - span_s);
  }

  health() {
    return healthOf(this.status);
  }

  // Whether events arrive, but not their pictures, which have a connection of their own.
  get pictureIsLate() {
    if (!this.shown || !this.newest) return false;
    const period_ms = this.status?.fps ? 1000 / this.status.fps : 0;
    const late_ms = timeOf(this.newest.frame_id) - timeOf(this.shown.event.frame_id);
    return late_ms > Math.max(LATE.ms, LATE.periods * period_ms);
  }

  // Whether any picture was analysed in the last minute.
  analysed(span_s = 60) {
    return this.#recent(span_s).length > 0;
  }

  // Whether a face was seen in the last minute.
  sawFaces(span_s = 60) {
    return this.#recent(span_s).some(({ faces }) => faces > 0);
  }

  /** @param {number} span_s */
  #recent(span_s) {
    const since = this.now() / 1000 - span_s;
    return this.seconds.filter(({ at }) => at >= since);
  }
}
