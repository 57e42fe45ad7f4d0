// The ribbon of a tile. Eight lanes, one per emotion, always in the same order, so that position shows
// the emotion as well as colour does.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { sized, style } from "./paint.js";
import { hatch, placeOf } from "./plotting.js";
import { SPAN_S, unseenSeconds } from "./seconds.js";

/**
 * Now is at the right edge; a bar in a lane is as high as the share of faces with its label.
 * @param {HTMLCanvasElement} canvas
 * @param {{ width: number, height: number }} size on the page: to ask for it costs a layout
 * @param {import("./cameras.js").Camera} camera
 */
export function drawRibbon(canvas, size, camera) {
  const { seconds } = camera;
  const [context, width, height] = sized(canvas, size);
  const lane = height / LANES.length;
  const step = width / SPAN_S;
  const end = Math.floor(camera.now() / 1000);
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
  const shown = { from: (end + 1 - SPAN_S) * 1000, to: (end + 1) * 1000 };
  const x = placeOf(shown, width);
  const to = Math.min(camera.now(), camera.knownUntil);
  const unseen = camera.minutes === "complete" ? unseenSeconds(seconds, { ...shown, to }, camera.gap_ms) : [];
  for (const { from, to } of unseen) hatch(context, x(from), 0, x(to) - x(from), height);
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
