// All cameras at a glance: how many people are in view, and what each camera saw today.
import { byId, find, setText } from "./dom.js";
import { LANES, face, percent } from "./emotions.js";
import { peopleIn } from "./faces.js";
import { byTitle, compareTexts } from "./order.js";
import { OverviewData } from "./overviewdata.js";
import { OverviewTable } from "./overviewtable.js";
import { sharesOf, sumOf } from "./today.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {{ name: string, title: string, state: string, people: number, entered: number | null, hour: number | null, shares: number[] | null }} Row `hour`: people on average */

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
  #column = 0;
  #descending = false;

  /** @param {() => Camera[]} all */
  constructor(all) {
    this.all = all;
    this.data = new OverviewData(all, () => this.draw());
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
    this.data.load();
    const rows = all.map((camera) => this.#row(camera));
    this.heads.forEach((head, i) => {
      if (i !== this.#column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#descending ? "descending" : "ascending");
    });
    this.table.draw(sorted(rows, this.#column, this.#descending), (name) => this.data.hours.get(name)?.drawn);
    const { state, today } = this.data;
    setText(this.total, state === "failed" ? "Today could not be loaded; trying again."
      : state === "loading" ? "Loading today." : todayInWords([...today.values()]));
  }

  /**
   * @param {Camera} camera
   * @returns {Row}
   */
  #row(camera) {
    const today = this.data.today.get(camera.name);
    return {
      name: camera.name, title: camera.title, state: camera.health().word, people: now(camera),
      entered: today?.entered ?? null, hour: this.data.hours.get(camera.name)?.mean ?? null,
      shares: today ? sharesOf(today.emotion_ms) : null,
    };
  }
}

/** @param {import("./today.js").Today[]} days of all cameras */
function todayInWords(days) {
  const shares = sharesOf(sumOf(days.map((people) => ({ people }))).emotion_ms);
  if (!shares) return "Today no emotion was recorded yet.";
  return `Today: ${LANES.map((name, i) => ({ name, share: shares[i] })).filter(({ share }) => share >= 0.005)
    .sort((a, b) => b.share - a.share).map(({ name, share }) => `${name} ${percent(share)}`).join(", ")}`;
}

/** @param {Camera} camera */
const now = (camera) => (camera.health().stale ? 0 : peopleIn(camera.newest));
