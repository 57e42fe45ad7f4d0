// The list of moments: who came, and what was shown strongly. Each leads to its time.
import { face, percent } from "./emotions.js";
import { find, reorder } from "./dom.js";
import { whyNothing } from "./reading.js";
import { timeText } from "./ranges.js";

/** @typedef {import("./people.js").Moment} Moment */

const MOST = 100;

export class Moments {
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} element
   * @param {(moment: Moment) => void} onChoose
   * @param {import("./cameras.js").Camera} camera
   */
  constructor(element, onChoose, camera) {
    this.list = find(element, "ol");
    this.note = find(element, "p");
    this.onChoose = onChoose;
    this.camera = camera;
  }

  /**
   * Rows stay where they are unchanged, and so does the focus.
   * @param {Moment[]} moments newest first
   * @param {number} since from when on they are complete
   * @param {import("./ranges.js").Span} span
   * @param {number} span_ms of the range
   */
  draw(moments, since, span, span_ms) {
    const shown = moments.slice(0, MOST);
    this.note.hidden = 0 < moments.length && moments.length <= MOST;
    this.note.textContent = moments.length ? `The newest ${MOST} of ${moments.length} moments`
      : whyNothing("No one entered and no strong emotion was shown", since, span);
    const rows = new Map(shown.map((moment) => {
      const key = JSON.stringify([moment, span_ms]);
      return [key, this.#rows.get(key) ?? this.#row(moment, span_ms)];
    }));
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    reorder(this.list, [...rows.values()]);
    this.#rows = rows;
  }

  /**
   * @param {Moment} moment
   * @param {number} span_ms
   */
  #row(moment, span_ms) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const person = `Person ${this.camera.numberOf(moment.track)}`;
    const time = document.createElement("time");
    time.dateTime = new Date(moment.at).toISOString();
    time.textContent = timeText(moment.at, span_ms);
    const text = document.createElement("span");
    text.textContent = moment.emotion
      ? `${person}: ${moment.emotion}, up to ${percent(moment.peak)}`
      : `${person} entered`;
    button.append(time, ...(moment.emotion ? [face(moment.emotion)] : []), text);
    button.addEventListener("click", () => this.onChoose(moment));
    row.append(button);
    return row;
  }
}
