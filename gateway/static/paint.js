// Drawing: the ribbon of a tile and the chart of a camera. Eight lanes each, one per emotion, always
// in the same order, so that position shows the emotion as well as colour does.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { SPAN_S } from "./cameras.js";

/** @typedef {import("./cameras.js").Second} Second */

const GAP = 10; // seconds without an event after which a lane's line is broken
const AXIS_PX = 22;
const LANE_GAP = 2;

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {[CanvasRenderingContext2D, number, number]}
 */
function sized(canvas) {
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
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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

/**
 * One area per emotion: its mean probability, second by second. `cursor` is a second, or null.
 * @param {HTMLCanvasElement} canvas
 * @param {Second[]} seconds
 * @param {number} now milliseconds
 * @param {number | null} cursor
 */
export function drawChart(canvas, seconds, now, cursor) {
  const [context, width, full] = sized(canvas);
  if (!width) return;
  const height = full - AXIS_PX;
  const lane = height / LANES.length;
  const end = now / 1000;
  /** @param {number} at */
  const x = (at) => width - ((end - at) / SPAN_S) * width;
  drawGrid(context, width, height, lane, x, end);
  LANES.forEach((name, i) => {
    const base = (i + 1) * lane - LANE_GAP;
    /** @param {Second} second */
    const y = (second) => base - (second.sums[WIRE_INDEX[i]] / second.faces) * (lane - 2 * LANE_GAP);
    for (const run of runs(seconds)) drawArea(context, run, x, y, base, color(name));
  });
  if (cursor !== null) {
    context.fillStyle = style("--ink");
    context.fillRect(x(cursor + 0.5) - 0.5, 0, 1, height);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} lane
 * @param {(at: number) => number} x
 * @param {number} end
 */
function drawGrid(context, width, height, lane, x, end) {
  context.fillStyle = style("--track");
  for (let i = 0; i < LANES.length; i += 1) context.fillRect(0, i * lane, width, lane - LANE_GAP);
  context.fillStyle = style("--soft");
  context.font = "12px system-ui, sans-serif";
  for (let minute = 5; minute >= 0; minute -= 1) {
    const at = x(end - minute * 60);
    context.textAlign = minute === 5 ? "left" : minute === 0 ? "right" : "center";
    context.fillText(minute ? `${minute} min ago` : "now", at, height + 16);
  }
}

/**
 * Seconds with a face, split at gaps of more than GAP seconds.
 * @param {Second[]} seconds
 */
export function runs(seconds) {
  /** @type {Second[][]} */
  const found = [];
  for (const second of seconds) {
    if (!second.faces) continue;
    const run = found.at(-1);
    if (run && second.at - run[run.length - 1].at <= GAP) run.push(second);
    else found.push([second]);
  }
  return found;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Second[]} run
 * @param {(at: number) => number} x
 * @param {(second: Second) => number} y
 * @param {number} base
 * @param {string} fill
 */
function drawArea(context, run, x, y, base, fill) {
  context.beginPath();
  context.moveTo(x(run[0].at), base);
  for (const second of run) context.lineTo(x(second.at), y(second));
  const last = run[run.length - 1];
  context.lineTo(x(last.at + 1), y(last));
  context.lineTo(x(last.at + 1), base);
  context.closePath();
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = style("--soft"); // some colours are as light as the background
  context.lineWidth = 1;
  context.stroke();
}

/**
 * The second under a pixel of the chart.
 * @param {HTMLCanvasElement} canvas
 * @param {number} now milliseconds
 * @param {number} pixel
 */
export function secondAt(canvas, now, pixel) {
  return Math.floor(now / 1000 - (1 - pixel / canvas.clientWidth) * SPAN_S);
}
