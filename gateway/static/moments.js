// The list of moments: who came, and what was shown strongly. Each leads to its time.
import { face, percent } from "./emotions.js";
import { find, reorder, setAttribute, setText } from "./dom.js";
import { sinceText, whyNothing } from "./reading.js";
import { timeText } from "./ranges.js";

/** @typedef {import("./people.js").Moment} Moment */
/** @typedef {{ element: HTMLElement, time: HTMLElement, text: HTMLElement, moment: Moment }} Row */

const MOST = 100;

/**
 * What a list of moments leaves out, empty if it is all.
 * @param {number} count
 * @param {import("./reach.js").Reach} reach
 * @param {import("./ranges.js").Span} span
 */
export function noteOn(count, reach, span) {
  if (!count) return whyNothing("No one entered and no strong emotion was shown", reach, span);
  const moments = count > MOST ? `The newest ${MOST} of ${count} moments` : "";
  if (!reach.missing) return moments;
  return moments ? `${moments} ${sinceText(reach, span)}` : `Moments ${sinceText(reach, span)}`;
}

export class Moments {
  /** @type {Map<string, Row>} */
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
   * @param {import("./reach.js").Reach} reach from when on they are complete
   * @param {import("./ranges.js").Span} span
   * @param {number} span_ms of the range
   */
  draw(moments, reach, span, span_ms) {
    const shown = moments.slice(0, MOST);
    setText(this.note, noteOn(moments.length, reach, span));
    this.note.hidden = !this.note.textContent;
    const rows = new Map(shown.map((moment) => {
      const row = this.#rows.get(moment.id) ?? this.#newRow(moment);
      this.#write(row, moment, span_ms);
      return [moment.id, row];
    }));
    for (const [id, { element }] of this.#rows) if (!rows.has(id)) element.remove();
    reorder(this.list, [...rows.values()].map(({ element }) => element));
    this.#rows = rows;
  }

  /**
   * @param {Moment} moment
   * @returns {Row}
   */
  #newRow(moment) {
    const element = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const [time, text] = [document.createElement("time"), document.createElement("span")];
    button.append(time, ...(moment.emotion ? [face(moment.emotion)] : []), text);
    const row = { element, time, text, moment };
    button.addEventListener("click", () => this.onChoose(row.moment));
    element.append(button);
    return row;
  }

  /**
   * The peak of an episode may still rise, and times are shorter in long ranges.
   * @param {Row} row
   * @param {Moment} moment
   * @param {number} span_ms
   */
  #write(row, moment, span_ms) {
    row.moment = moment;
    const person = `Person ${this.camera.numberOf(moment.track)}`;
    setAttribute(row.time, "datetime", new Date(moment.at).toISOString());
    setText(row.time, timeText(moment.at, span_ms));
    setText(row.text, moment.emotion
      ? `${person}: ${moment.emotion}, up to ${percent(moment.peak)}`
      : `${person} entered`);
  }
}
