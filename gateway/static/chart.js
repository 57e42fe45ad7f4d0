// Drawing of what was seen over time: people in view, the mean of each emotion, and what was not seen.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { sized, style } from "./paint.js";
import { tickText, ticks } from "./ranges.js";

/** @typedef {import("./ranges.js").Point} Point */
/** @typedef {import("./ranges.js").Span} Span */
/**
 * `gap_ms`: the longest pause over which a line is drawn; `unseen`: the spans to hatch.
 * @typedef {{ span: Span, points: Point[], unseen: Span[], gap_ms: number, tick_ms: number, cursor: number | null }} View
 */

const AXIS_PX = 22;
const GAP_PX = 2;
// Heights as in the style sheet, from above.
export const PEOPLE_PX = 44;
export const LANE_PX = 34;
export const SEEN_PX = 18;

/**
 * @param {Span} span
 * @param {number} width
 * @returns {(at: number) => number} a time's place in pixels
 */
export const placeOf = ({ from, to }, width) => (at) => ((at - from) / (to - from)) * width;

/**
 * The time under a pixel.
 * @param {HTMLCanvasElement} canvas
 * @param {Span} span
 * @param {number} pixel
 */
export const timeAt = (canvas, { from, to }, pixel) => from + (pixel / canvas.clientWidth) * (to - from);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {View} view
 */
export function drawChart(canvas, view) {
  const [context, width, full] = sized(canvas);
  if (!width) return;
  const x = placeOf(view.span, width);
  const height = full - AXIS_PX;
  drawGround(context, width);
  drawPeople(context, view, x);
  LANES.forEach((name, i) => {
    const base = PEOPLE_PX + (i + 1) * LANE_PX - GAP_PX;
    /** @param {Point} point */
    const y = ({ means }) => base - (means ? means[WIRE_INDEX[i]] : 0) * (LANE_PX - 2 * GAP_PX);
    const seen = view.points.filter(({ means }) => means);
    for (const run of runs(seen, view.gap_ms)) drawArea(context, run, x, y, base, color(name));
  });
  drawCoverage(context, view, x, height);
  for (const { from, to } of view.unseen) hatch(context, x(from), 0, x(to) - x(from), height);
  drawAxis(context, view, x, width, height);
  drawCursor(context, view, x, height);
}

/**
 * Points that follow each other, divided at gaps.
 * @template {Span} T
 * @param {T[]} points
 * @param {number} gap_ms
 */
export function runs(points, gap_ms) {
  /** @type {T[][]} */
  const found = [];
  for (const point of points) {
    const run = found.at(-1);
    if (run && point.from - run[run.length - 1].to <= gap_ms) run.push(point);
    else found.push([point]);
  }
  return found;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 */
function drawGround(context, width) {
  context.fillStyle = style("--track");
  context.fillRect(0, 0, width, PEOPLE_PX - GAP_PX);
  for (let i = 0; i < LANES.length; i += 1) {
    context.fillRect(0, PEOPLE_PX + i * LANE_PX, width, LANE_PX - GAP_PX);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {(at: number) => number} x
 */
function drawPeople(context, { points, gap_ms, span }, x) {
  const known = points.filter(({ people }) => people !== null);
  const most = Math.max(1, ...known.map(({ people }) => people ?? 0));
  const base = PEOPLE_PX - GAP_PX;
  for (const run of runs(known, gap_ms)) {
    drawArea(context, run, x, ({ people }) => base - ((people ?? 0) / most) * (base - 14), base, style("--soft"));
  }
  context.fillStyle = style("--ink");
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "left";
  context.fillText(`at most ${Number(most.toFixed(1))}`, x(span.from) + 4, 11);
}

/**
 * The share that was seen, above a hatched rest.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {(at: number) => number} x
 * @param {number} height
 */
function drawCoverage(context, { points }, x, height) {
  const top = height - SEEN_PX + GAP_PX;
  const room = SEEN_PX - 2 * GAP_PX;
  for (const { from, to, coverage } of points) {
    const [left, wide] = [x(from), Math.max(1, x(to) - x(from))];
    context.fillStyle = style("--good");
    context.fillRect(left, top + room * (1 - coverage), wide, room * coverage);
    if (coverage < 0.99) hatch(context, left, top, wide, room * (1 - coverage));
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
export function hatch(context, left, top, width, height) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = style("--card");
  context.fillRect(left, top, width, height);
  context.strokeStyle = style("--hatch");
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = Math.floor((left - height) / 8) * 8; at < left + width; at += 8) {
    context.moveTo(at, top + height);
    context.lineTo(at + height, top);
  }
  context.stroke();
  context.restore();
}

/**
 * Labels never overlap: one without room is left out.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {(at: number) => number} x
 * @param {number} width
 * @param {number} height
 */
function drawAxis(context, { span, tick_ms }, x, width, height) {
  context.fillStyle = style("--soft");
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  let taken = 0;
  for (const at of ticks(span, tick_ms)) {
    const text = tickText(at, tick_ms);
    const half = context.measureText(text).width / 2;
    const middle = x(at);
    if (middle - half < taken || middle + half > width) continue;
    taken = middle + half + 10;
    context.fillText(text, middle, height + 17);
    context.fillRect(middle - 0.5, height, 1, 4);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ cursor: number | null }} view
 * @param {(at: number) => number} x
 * @param {number} height
 */
export function drawCursor(context, { cursor }, x, height) {
  if (cursor === null) return;
  context.fillStyle = style("--ink");
  context.fillRect(x(cursor) - 0.75, 0, 1.5, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} run
 * @param {(at: number) => number} x
 * @param {(point: Point) => number} y
 * @param {number} base
 * @param {string} fill
 */
function drawArea(context, run, x, y, base, fill) {
  const last = run[run.length - 1];
  context.beginPath();
  context.moveTo(x(run[0].from), base);
  for (const point of run) context.lineTo(x(point.from), y(point));
  context.lineTo(x(last.to), y(last));
  context.lineTo(x(last.to), base);
  context.closePath();
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = style("--soft"); // some colours are as light as the background
  context.lineWidth = 1;
  context.stroke();
}
