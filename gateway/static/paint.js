// Drawing: the ribbon of a tile. Eight lanes, one per emotion, always in the same order, so that
// position shows the emotion as well as colour does.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { SPAN_S } from "./seconds.js";

/** @typedef {import("./seconds.js").Second} Second */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ width: number, height: number }} size on the page
 * @returns {[CanvasRenderingContext2D, number, number]}
 */
export function sized(canvas, size = { width: canvas.clientWidth, height: canvas.clientHeight }) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(size.width * scale);
  const height = Math.round(size.height * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  return [context, size.width, size.height];
}

/** @param {string} name */
export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Now is at the right edge; a bar in a lane is as high as the share of faces with its emotion.
 * @param {HTMLCanvasElement} canvas
 * @param {{ width: number, height: number }} size on the page: to ask for it costs a layout
 * @param {Second[]} seconds
 * @param {number} now milliseconds
 */
export function drawRibbon(canvas, size, seconds, now) {
  const [context, width, height] = sized(canvas, size);
  const lane = height / LANES.length;
  const step = width / SPAN_S;
  const end = Math.floor(now / 1000);
  drawPanel(context, width, height);
  LANES.forEach((name, i) => {
    context.fillStyle = color(name);
    for (const second of seconds) {
      const share = second.faces ? second.counts[WIRE_INDEX[i]] / second.faces : 0;
      if (!share) continue;
      const x = width - (end - second.at) * step;
      const high = Math.max(1.5, share * (lane - 1));
      context.fillRect(x - step, (i + 1) * lane - 1 - high, Math.max(step, 1.5), high);
    }
  });
}

/**
 * The ground of the lanes with a line between two of them, and one at each minute.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 */
function drawPanel(context, width, height) {
  context.fillStyle = style("--lane");
  context.fillRect(0, 0, width, height);
  context.fillStyle = style("--lane-line");
  for (let i = 1; i < LANES.length; i += 1) context.fillRect(0, (i * height) / LANES.length - 1, width, 1);
  for (let s = 60; s < SPAN_S; s += 60) context.fillRect(Math.round((s / SPAN_S) * width), 0, 1, height);
}
