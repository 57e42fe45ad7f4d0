// Drawing: the ribbon of a tile. Eight lanes, one per emotion, always in the same order, so that
// position shows the emotion as well as colour does.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { SPAN_S } from "./seconds.js";

/** @typedef {import("./seconds.js").Second} Second */

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {[CanvasRenderingContext2D, number, number]}
 */
export function sized(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return [context, canvas.clientWidth, canvas.clientHeight];
}

/** @param {string} name */
export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Now is at the right edge; a bar in a lane is as high as the share of faces with its emotion.
 * @param {HTMLCanvasElement} canvas
 * @param {Second[]} seconds
 * @param {number} now milliseconds
 */
export function drawRibbon(canvas, seconds, now) {
  const [context, width, height] = sized(canvas);
  if (!width) return;
  const lane = height / LANES.length;
  const step = width / SPAN_S;
  const end = Math.floor(now / 1000);
  context.fillStyle = style("--lane");
  for (let i = 0; i < LANES.length; i += 1) context.fillRect(0, i * lane, width, lane - 1);
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
