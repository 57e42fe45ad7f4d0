// All cameras at a glance: how many people are in view, and what each camera saw today.
import { fetchJson } from "./api.js";
import { clock } from "./cameras.js";
import { byId, find, setText } from "./dom.js";
import { LANES, WIRE_INDEX, face, percent } from "./emotions.js";
import { peopleIn } from "./faces.js";
import { byTitle, compareTexts } from "./order.js";
import { OverviewTable } from "./overviewtable.js";
import { STEP, lastHour, meanPeople, sparkline } from "./sparkline.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/**
 * What a camera saw today: who entered, and for how long each steady label showed, in the order of WIRE.
 * @typedef {{ entered: number, emotion_ms: number[] }} Today
 */
/** @typedef {{ name: string, title: string, state: string, people: number, entered: number | null, hour: number | null, shares: number[] | null }} Row `hour`: people on average */

const TODAY_EVERY_MS = 300000;
const HOUR_EVERY_MS = 60000;
const HOUR_MS = 3600000;

/**
 * Shares of the time in which a label showed, in the order of LANES; null without any.
 * @param {number[]} emotion_ms
 */
export function sharesOf(emotion_ms) {
  const total = emotion_ms.reduce((sum, ms) => sum + ms, 0);
  return total ? WIRE_INDEX.map((i) => emotion_ms[i] / total) : null;
}

/**
 * The sum over points of a trend.
 * @param {{ people: Today | null }[]} points
 * @returns {Today}
 */
export function sumOf(points) {
  const sum = { entered: 0, emotion_ms: LANES.map(() => 0) };
  for (const { people } of points) {
    if (!people) continue;
    sum.entered += people.entered;
    people.emotion_ms.forEach((ms, i) => { sum.emotion_ms[i] += ms; });
  }
  return sum;
}

/**
 * Rows in the order of a column; what is unknown comes last, what is the same is ordered by title.
 * @param {Row[]} rows
 * @param {number} column
 * @param {boolean} descending
 */
export function sorted(rows, column, descending) {
  const value = (/** @type {Row} */ row) =>
    [row.title, row.state, row.people, row.entered, row.hour, ...(row.shares ?? [])][column] ?? null;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || byTitle(a, b);
    const order = typeof x === "string" ? compareTexts(x, String(y)) : x - Number(y);
    return (descending ? -order : order) || byTitle(a, b);
  });
}

export class Overview {
  /** @type {Map<string, Today>} */
  #today = new Map();
  /** @type {Map<string, { mean: number | null, drawn: SVGElement }>} */
  #hours = new Map();
  #todayAt = -Infinity; // when they were asked for
  #hourAt = -Infinity;
  #column = 0;
  #descending = false;

  /** @param {() => Camera[]} all */
  constructor(all) {
    this.all = all;
    this.toggle = byId("overview-toggle");
    this.section = byId("overview");
    this.table = new OverviewTable(find(this.section, "tbody"));
    this.total = find(this.section, ".today");
    this.toggle.addEventListener("click", () => {
      this.section.hidden = !this.section.hidden;
      this.toggle.setAttribute("aria-expanded", String(!this.section.hidden));
      this.draw();
    });
    this.heads = ["Camera", "State", "People now", "Entered today", "Last hour", ...LANES].map((name, i) => this.#head(name, i));
    find(this.section, "thead tr").append(...this.heads);
  }

  /**
   * @param {string} name
   * @param {number} column
   */
  #head(name, column) {
    const head = document.createElement("th");
    head.scope = "col";
    const button = document.createElement("button");
    button.type = "button";
    if (column > 4) button.append(face(name));
    button.append(name);
    button.addEventListener("click", () => {
      this.#descending = this.#column === column ? !this.#descending : column > 1;
      this.#column = column;
      this.draw();
    });
    head.append(button);
    return head;
  }

  // Once a second, and when it is opened or sorted.
  draw() {
    const all = this.all();
    const people = all.reduce((sum, camera) => sum + now(camera), 0);
    this.toggle.textContent = `Overview: ${people} ${people === 1 ? "person" : "people"} now`;
    if (this.section.hidden) return;
    this.#load();
    const rows = all.map((camera) => this.#row(camera));
    this.heads.forEach((head, i) => {
      if (i !== this.#column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#descending ? "descending" : "ascending");
    });
    this.table.draw(sorted(rows, this.#column, this.#descending), (name) => this.#hours.get(name)?.drawn);
    const shares = sharesOf(sumOf([...this.#today.values()].map((each) => ({ people: each }))).emotion_ms);
    setText(this.total, !shares ? "Today no emotion was recorded yet."
      : `Today: ${LANES.map((name, i) => ({ name, share: shares[i] })).filter(({ share }) => share >= 0.005)
        .sort((a, b) => b.share - a.share).map(({ name, share }) => `${name} ${percent(share)}`).join(", ")}`);
  }

  /**
   * @param {Camera} camera
   * @returns {Row}
   */
  #row(camera) {
    const today = this.#today.get(camera.name);
    return {
      name: camera.name, title: camera.title, state: camera.health().word, people: now(camera),
      entered: today?.entered ?? null, hour: this.#hours.get(camera.name)?.mean ?? null,
      shares: today ? sharesOf(today.emotion_ms) : null,
    };
  }

  // One request for all cameras each.
  #load() {
    if (performance.now() - this.#todayAt > TODAY_EVERY_MS) {
      this.#todayAt = performance.now();
      this.#loadToday().catch(() => { this.#todayAt = -Infinity; });
    }
    if (performance.now() - this.#hourAt > HOUR_EVERY_MS) {
      this.#hourAt = performance.now();
      this.#loadHour().catch(() => { this.#hourAt = -Infinity; });
    }
  }

  async #loadToday() {
    const from = new Date(clock.now()).setHours(0, 0, 0, 0);
    const { cameras } = await fetchJson(`api/trends?from=${from}&to=${clock.now() + HOUR_MS}&step=60`);
    this.#today = new Map(Object.entries(cameras).map(([name, points]) => [name, sumOf(points)]));
    this.draw();
  }

  async #loadHour() {
    const hour = lastHour(clock.now());
    const { cameras } = await fetchJson(`api/trends?from=${hour.from}&to=${hour.to}&step=${STEP}`);
    const all = /** @type {[string, import("./sparkline.js").TrendPoint[]][]} */ (Object.entries(cameras));
    const most = Math.max(1, ...all.flatMap(([, points]) => points.map(({ people }) => people?.people_mean ?? 0)));
    this.#hours = new Map(all.map(([name, points]) =>
      [name, { mean: meanPeople(points), drawn: sparkline(points, hour, most) }]));
    this.draw();
  }
}

/** @param {Camera} camera */
const now = (camera) => (camera.health().stale ? 0 : peopleIn(camera.newest));
