// The axis of times below a chart, as text of the page.
import { tickText, ticks } from "./ranges.js";
import { widthOf } from "./ruler.js";

/** @typedef {import("./ranges.js").Span} Span */

const FONT_PX = 12;
const BETWEEN_PX = 10;

/**
 * Labels at equal distances, so many that none touches another or leaves the axis. The first and the last
 * one move inwards where they would leave it: how many fit must not depend on the second.
 * @param {Span} span
 * @param {number} tick_ms
 * @param {number} width pixels
 * @param {(text: string) => number} measure
 * @returns {{ at: number, text: string, middle: number }[]} `middle`: in pixels from the left
 */
export function labelsOf(span, tick_ms, width, measure) {
  const place = (/** @type {number} */ at) => ((at - span.from) / (span.to - span.from)) * width;
  for (let each = 1; each <= 64; each += 1) {
    const found = ticks(span, each * tick_ms).map((at) => ({ at, text: tickText(at, tick_ms), middle: place(at) }));
    const widest = Math.max(...found.map(({ text }) => measure(text)), 0);
    const apart = ((each * tick_ms) / (span.to - span.from)) * width;
    if (apart < widest + BETWEEN_PX) continue;
    return inside(found, width, measure);
  }
  return [];
}

/**
 * @param {{ at: number, text: string, middle: number }[]} labels
 * @param {number} width
 * @param {(text: string) => number} measure
 */
function inside(labels, width, measure) {
  const sideOf = (/** @type {{ text: string }} */ { text }) => measure(text) / 2;
  const moved = labels
    .filter((label) => 2 * sideOf(label) <= width)
    .map((label) => ({ ...label, middle: Math.min(width - sideOf(label), Math.max(sideOf(label), label.middle)) }));
  const touches = (/** @type {typeof moved[0]} */ a, /** @type {typeof moved[0]} */ b) =>
    b.middle - sideOf(b) < a.middle + sideOf(a) + BETWEEN_PX;
  if (moved.length > 1 && touches(moved[0], moved[1])) moved.shift();
  if (moved.length > 1 && touches(moved[moved.length - 2], moved[moved.length - 1])) moved.pop();
  return moved;
}

/**
 * @param {HTMLElement} element
 * @param {Span} span
 * @param {number} tick_ms
 */
export function drawAxis(element, span, tick_ms) {
  const labels = labelsOf(span, tick_ms, element.clientWidth, (text) => widthOf(text, FONT_PX, 400));
  while (element.children.length > labels.length) element.lastElementChild?.remove();
  while (element.children.length < labels.length) element.append(document.createElement("span"));
  labels.forEach(({ text, middle }, i) => {
    const label = /** @type {HTMLElement} */ (element.children[i]);
    if (label.textContent !== text) label.textContent = text;
    label.style.left = `${middle.toFixed(1)}px`;
  });
}
