// What the overview shows of the past: what each camera saw today and in the last hour, by its own clock.
import { fetchJson } from "./api.js";
import { clock } from "./cameras.js";
import { loadTrend } from "./loading.js";
import { STEP, lastHour, meanPeople, sparkline } from "./sparkline.js";
import { sumOf } from "./today.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./today.js").Today} Today */
/** @typedef {{ from: number, to: number, step: number }} Steps */
/** @typedef {{ steps: Steps, points: any[] }} Trend */

const TODAY_EVERY_MS = 300000;
const HOUR_EVERY_MS = 60000;
const RETRY_MS = 10000;
const OTHER_CLOCK_MS = 60000; // a difference that shows in minutes
const [HALF_HOUR_MS, MINUTE_MS] = [1800000, 60000];

/**
 * The day of a time, up to then, in steps of which none begins on the day before: they begin at multiples of
 * their length in UTC, the day in some zones at half an hour or a quarter.
 * @param {number} now
 * @returns {Steps}
 */
export function dayOf(now) {
  const from = new Date(now).setHours(0, 0, 0, 0);
  const step = from % (2 * HALF_HOUR_MS) === 0 ? 60 : from % HALF_HOUR_MS === 0 ? 30 : 15;
  return { from, to: Math.max(Math.ceil(now), from + MINUTE_MS), step };
}

/** @param {number} now */
const hourOf = (now) => ({ ...lastHour(now), step: STEP });

export class OverviewData {
  /** @type {Map<string, Today>} */
  today = new Map();
  /** @type {"loading" | "failed" | "loaded"} */
  state = "loading"; // of today
  /** @type {Map<string, { mean: number | null, drawn: SVGElement }>} */
  hours = new Map();
  #todayAt = -Infinity; // when they were asked for
  #hourAt = -Infinity;

  /**
   * @param {() => Camera[]} all
   * @param {() => void} onLoaded
   */
  constructor(all, onLoaded) {
    this.all = all;
    this.onLoaded = onLoaded;
  }

  // If it is due.
  load() {
    if (performance.now() - this.#todayAt > TODAY_EVERY_MS) {
      this.#todayAt = performance.now();
      this.#loadToday().catch(() => {
        this.#todayAt += RETRY_MS - TODAY_EVERY_MS;
        this.state = "failed";
      });
    }
    if (performance.now() - this.#hourAt > HOUR_EVERY_MS) {
      this.#hourAt = performance.now();
      this.#loadHour().catch(() => { this.#hourAt += RETRY_MS - HOUR_EVERY_MS; });
    }
  }

  async #loadToday() {
    const trends = await loadTrends(this.all(), dayOf);
    this.today = new Map([...trends].map(([name, { points }]) => [name, sumOf(points)]));
    this.state = "loaded";
    this.onLoaded();
  }

  async #loadHour() {
    const trends = await loadTrends(this.all(), hourOf);
    const people = [...trends.values()].flatMap(({ points }) => points.map((point) => point.people?.people_mean ?? 0));
    const most = Math.max(1, ...people);
    this.hours = new Map([...trends].map(([name, { points, steps }]) =>
      [name, { mean: meanPeople(points), drawn: sparkline(points, steps, most) }]));
    this.onLoaded();
  }
}

/**
 * One request for all cameras that have the clock of Redis, as nearly all do, and one for each other.
 * @param {Camera[]} all
 * @param {(now: number) => Steps} stepsOf a time
 * @returns {Promise<Map<string, Trend>>}
 */
export async function loadTrends(all, stepsOf, fetch = fetchJson) {
  const steps = stepsOf(clock.now());
  const { cameras } = await fetch(`api/trends?from=${steps.from}&to=${steps.to}&step=${steps.step}`);
  /** @type {Map<string, Trend>} */
  const found = new Map(Object.entries(cameras).map(([name, points]) => [name, { steps, points }]));
  for (const camera of all.filter((each) => Math.abs(each.now() - clock.now()) > OTHER_CLOCK_MS)) {
    const own = stepsOf(camera.now());
    found.delete(camera.name);
    const answer = await loadTrend(camera.name, own, own.step, fetch).catch(() => null);
    if (answer) found.set(camera.name, { steps: own, points: answer.points });
  }
  return found;
}
