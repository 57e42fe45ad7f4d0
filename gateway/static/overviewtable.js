// The rows of the overview. A row stays while its camera does, so that the focus stays on its link.
import { reorder, setText, textOf } from "./dom.js";
import { LANES, percent } from "./emotions.js";

/** @typedef {import("./overview.js").Row} Row */
/** @typedef {{ line: HTMLElement, link: HTMLElement, cells: HTMLElement[] }} Line */

const UNKNOWN = "–";

export class OverviewTable {
  /** @type {Map<string, Line>} */
  #lines = new Map();

  /** @param {HTMLElement} body of the table */
  constructor(body) {
    this.body = body;
  }

  /**
   * @param {Row[]} rows in order
   * @param {(name: string) => Element | undefined} hourOf a camera: its last hour as bars
   */
  draw(rows, hourOf) {
    const lines = new Map(rows.map((row) => {
      const line = this.#lines.get(row.name) ?? newLine(row.name);
      write(line, row, hourOf(row.name));
      return [row.name, line];
    }));
    for (const [name, { line }] of this.#lines) if (!lines.has(name)) line.remove();
    this.#lines = lines;
    reorder(this.body, [...lines.values()].map(({ line }) => line));
  }
}

/**
 * @param {string} name of a camera
 * @returns {Line}
 */
function newLine(name) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const link = document.createElement("a");
  link.href = `#/${name}`;
  head.append(link);
  const cells = ["state", "people", "entered", "hour", ...LANES].map(() => textOf("td", ""));
  line.append(head, ...cells);
  return { line, link, cells };
}

/**
 * @param {Line} line
 * @param {Row} row
 * @param {Element | undefined} hour
 */
function write({ link, cells }, { title, state, people, entered, shares }, hour) {
  setText(link, title);
  const [stateCell, peopleCell, enteredCell, hourCell, ...shareCells] = cells;
  setText(stateCell, state);
  setText(peopleCell, String(people));
  setText(enteredCell, entered === null ? UNKNOWN : String(entered));
  if (!hour) setText(hourCell, UNKNOWN);
  else if (hourCell.firstChild !== hour) hourCell.replaceChildren(hour);
  shareCells.forEach((cell, i) => setText(cell, shares ? percent(shares[i]) : UNKNOWN));
}
