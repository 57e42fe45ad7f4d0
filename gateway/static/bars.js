// One face's probabilities as bars, and the names beside the chart's lanes.
import { find, textOf } from "./dom.js";
import { face, percent } from "./emotions.js";
import { shownBy } from "./faces.js";

/** @param {string} name */
export function laneLabel(name) {
  const row = document.createElement("li");
  row.append(face(name), textOf("span", name));
  return row;
}

/** @param {string} name */
export function bar(name) {
  const row = document.createElement("li");
  row.dataset.emotion = name;
  const track = document.createElement("div");
  track.className = "track";
  for (const [key, value] of [["role", "meter"], ["aria-label", name], ["aria-valuemin", "0"], ["aria-valuemax", "100"]]) {
    track.setAttribute(key, value);
  }
  const fill = document.createElement("div");
  fill.className = "fill";
  track.append(fill);
  const share = textOf("span", "");
  share.className = "percent";
  row.append(face(name), textOf("span", name), track, share);
  return row;
}

/**
 * The probabilities that the label of the box follows: smoothed, or those of this frame without a track.
 * @param {HTMLElement} bars
 * @param {import("./cameras.js").Face} chosen
 */
export function drawBars(bars, chosen) {
  const shown = shownBy(chosen);
  for (const row of /** @type {Iterable<HTMLElement>} */ (bars.children)) {
    const share = (chosen.smoothed ?? chosen.probabilities)[row.dataset.emotion ?? ""];
    row.classList.toggle("first", row.dataset.emotion === shown);
    find(row, ".fill").style.width = `${100 * share}%`;
    find(row, ".percent").textContent = percent(share);
    find(row, ".track").setAttribute("aria-valuenow", String(Math.round(100 * share)));
  }
}
