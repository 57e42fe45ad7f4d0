// Drawing of who was in view: a lane per person, coloured by what their steady label was.
import { LANES, color } from "./emotions.js";
import { sized, style } from "./paint.js";
import { dot, drawCursor, hatch, placeOf } from "./plotting.js";

/** @typedef {import("./people.js").Track} Track */
/** @typedef {import("./ranges.js").Span} Span */

const LANE_PX = 22;
const MIN_LANE_PX = 8;
const MAX_PX = 264; // more people are drawn in thinner lanes
const GAP_PX = 4;

/** @param {number} lanes */
const lanePx = (lanes) => Math.max(MIN_LANE_PX, Math.min(LANE_PX, MAX_PX / lanes));

/**
 * The height that so many lanes take.
 * @param {number} lanes
 */
export const heightOf = (lanes) => Math.round(Math.max(1, lanes) * lanePx(lanes));

/**
 * `reach`: from when on the records are complete. `chosen`: the track that is read out.
 * @param {HTMLCanvasElement} canvas
 * @param {{ lanes: Track[][], span: Span, unseen: Span[], reach: import("./reach.js").Reach, cursor: number | null, chosen: Track | null, numberOf: (track: string) => number }} view
 */
export function drawTimeline(canvas, view) {
  const [context, width, height] = sized(canvas);
  if (!width) return;
  const x = placeOf(view.span, width);
  const lane = lanePx(view.lanes.length);
  const colors = new Map([...LANES, "uncertain"].map((name) => [name, color(name)]));
  context.fillStyle = style("--track");
  context.fillRect(0, 0, width, height);
  if (view.reach.missing) dot(context, x(Math.min(view.reach.since, view.span.to)), height);
  for (const { from, to } of view.unseen) hatch(context, x(from), 0, x(to) - x(from), height);
  view.lanes.forEach((tracks, i) => {
    for (const track of tracks) {
      drawTrack(context, track, x, i * lane + GAP_PX / 4, lane - GAP_PX / 2, colors, view);
    }
  });
  drawCursor(context, view, x, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Track} track
 * @param {(at: number) => number} x
 * @param {number} top
 * @param {number} high
 * @param {Map<string, string>} colors
 * @param {{ chosen: Track | null, numberOf: (track: string) => number }} view
 */
function drawTrack(context, track, x, top, high, colors, { chosen, numberOf }) {
  const left = Math.max(0, x(track.start));
  const wide = Math.max(2, x(track.end) - left);
  context.fillStyle = colors.get("uncertain") ?? "";
  context.fillRect(left, top, wide, high);
  for (const { emotion, start, end } of track.showings.values()) {
    context.fillStyle = colors.get(emotion) ?? "";
    context.fillRect(Math.max(0, x(start)), top, Math.max(1.5, x(end) - Math.max(0, x(start))), high);
  }
  context.strokeStyle = style(track === chosen ? "--ink" : "--soft");
  context.lineWidth = track === chosen ? 3 : 1;
  context.strokeRect(left + 0.5, top + 0.5, wide - 1, high - 1);
  const text = String(numberOf(track.id));
  if (high < 14 || wide < 8 + 7 * text.length) return;
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "left";
  context.lineWidth = 3;
  context.strokeStyle = "rgb(10 12 16 / 85%)";
  context.strokeText(text, left + 4, top + high / 2 + 4);
  context.fillStyle = "#fff";
  context.fillText(text, left + 4, top + high / 2 + 4);
}

/**
 * The track under a place, or none.
 * @param {Track[][]} lanes
 * @param {number} y pixels
 * @param {number} at
 * @param {number} near milliseconds that a pixel or two are
 */
export function trackAt(lanes, y, at, near) {
  const tracks = lanes[Math.floor(y / lanePx(lanes.length))] ?? [];
  return tracks.find((track) => track.start - near <= at && track.end + near >= at) ?? null;
}
