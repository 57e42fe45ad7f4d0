// Drawing of what was seen over time: people in view, the mean of each emotion, and what was not seen.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { sized, style } from "./paint.js";
import { drawArea, drawCursor, drawDashed, hatch, placeOf, runs } from "./plotting.js";
import { ticks } from "./ranges.js";

/** @typedef {import("./ranges.js").Point} Point */
/** @typedef {import("./ranges.js").Span} Span */
/**
 * `compared`: what is drawn as dashed lines; `unseen`: the spans to hatch; `tick_ms`: between vertical
 * lines; `gap_ms`: the longest pause over which a line is drawn.
 * @typedef {{
 *   span: Span, points: Point[], compared: Point[], unseen: Span[], tick_ms: number, gap_ms: number,
 *   cursor: number | null,
 * }} View
 */

const GAP_PX = 2;
// Heights as in the style sheet, from above.
export const PEOPLE_PX = 44;
export const LANE_PX = 34;
export const SEEN_PX = 18;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {View} view
 */
export function drawChart(canvas, view) {
  const [context, width, height] = sized(canvas);
  if (!width) return;
  const x = placeOf(view.span, width);
  drawGround(context, width);
  drawPeople(context, view, x);
  const seen = view.points.filter(({ means }) => means);
  LANES.forEach((name, i) => {
    for (const run of runs(seen, view.gap_ms)) drawArea(context, run, x, shareOf(i), baseOf(i), color(name));
  });
  drawCoverage(context, view, x, height);
  for (const { from, to } of view.unseen) hatch(context, x(from), 0, x(to) - x(from), height);
  drawCompared(context, view, x);
  drawTicks(context, view, x, height);
  drawCursor(context, view, x, height);
}

/** @param {number} lane */
const baseOf = (lane) => PEOPLE_PX + (lane + 1) * LANE_PX - GAP_PX;

/**
 * Where a lane shows the share of its emotion.
 * @param {number} lane
 * @returns {(point: Point) => number}
 */
const shareOf = (lane) => ({ means }) => baseOf(lane) - (means?.[WIRE_INDEX[lane]] ?? 0) * (LANE_PX - 2 * GAP_PX);

/**
 * Where people are shown, on a scale that holds what is compared too.
 * @param {View} view
 * @returns {{ most: number, y: (point: Point) => number }}
 */
function scaleOfPeople({ points, compared }) {
  const most = Math.max(1, ...[...points, ...compared].map(({ people }) => people ?? 0));
  const base = PEOPLE_PX - GAP_PX;
  return { most, y: ({ people }) => base - ((people ?? 0) / most) * (base - 14) };
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
function drawPeople(context, view, x) {
  const { most, y } = scaleOfPeople(view);
  const known = view.points.filter(({ people }) => people !== null);
  for (const run of runs(known, view.gap_ms)) drawArea(context, run, x, y, PEOPLE_PX - GAP_PX, style("--soft"));
  context.fillStyle = style("--ink");
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "left";
  context.fillText(`at most ${Number(most.toFixed(1))}`, x(view.span.from) + 4, 11);
}

/**
 * Above all else: also where nothing was seen of what is shown.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {(at: number) => number} x
 */
function drawCompared(context, view, x) {
  const known = view.compared.filter(({ people }) => people !== null);
  for (const run of runs(known, 0)) drawDashed(context, run, x, scaleOfPeople(view).y);
  const seen = view.compared.filter(({ means }) => means);
  LANES.forEach((_, i) => {
    for (const run of runs(seen, 0)) drawDashed(context, run, x, shareOf(i));
  });
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
 * @param {View} view
 * @param {(at: number) => number} x
 * @param {number} height
 */
function drawTicks(context, { span, tick_ms }, x, height) {
  context.fillStyle = style("--soft");
  for (const at of ticks(span, tick_ms)) context.fillRect(x(at) - 0.5, height - 4, 1, 4);
}
