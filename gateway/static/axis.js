// The axis of times below a chart, as text of the page.
import { tickText, ticks } from "./ranges.js";
import { widthOf } from "./ruler.js";

/** @typedef {import("./ranges.js").Span} Span */

const FONT_PX = 12;
const BETWEEN_PX = 10;

/**
 * Labels at equal distances, so many that none touches another or leaves the axis.
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
    return found.filter(({ middle, text }) => {
      const half = measure(text) / 2;
      return middle >= half && middle + half <= width;
    });
  }
  return [];
}

/**
 * @param {HTMLElement} element
 * @param {Span} span
 * @param {number} tick_ms
 */
export function drawAxis(element, span, tick_ms) {
  const labels = labelsOf(span, tick_ms, element.clientWidth, (text) => widthOf(text, FONT_PX));
  while (element.children.length > labels.length) element.lastElementChild?.remove();
  while (element.children.length < labels.length) element.append(document.createElement("span"));
  labels.forEach(({ text, middle }, i) => {
    const label = /** @type {HTMLElement} */ (element.children[i]);
    if (label.textContent !== text) label.textContent = text;
    label.style.left = `${middle.toFixed(1)}px`;
  });
}
