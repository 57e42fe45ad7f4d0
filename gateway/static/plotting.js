// What drawings over time are made of: places of times, runs of points, areas, lines, hatching.
import { style } from "./paint.js";

/** @typedef {import("./ranges.js").Point} Point */
/** @typedef {import("./ranges.js").Span} Span */

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
 * Dots, of what is not known.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width from the left edge
 * @param {number} height
 */
export function dot(context, width, height) {
  context.fillStyle = style("--card");
  context.fillRect(0, 0, width, height);
  context.fillStyle = style("--hatch");
  for (let x = 4; x < width; x += 8) {
    for (let y = 4; y < height; y += 8) context.fillRect(x - 1, y - 1, 2, 2);
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
export function drawArea(context, run, x, y, base, fill) {
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

/**
 * A line that stays visible on every colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} run
 * @param {(at: number) => number} x
 * @param {(point: Point) => number} y
 */
export function drawDashed(context, run, x, y) {
  const last = run[run.length - 1];
  context.save();
  context.beginPath();
  for (const point of run) context.lineTo(x(point.from), y(point));
  context.lineTo(x(last.to), y(last));
  context.strokeStyle = style("--card");
  context.lineWidth = 3.5;
  context.stroke();
  context.setLineDash([5, 3]);
  context.strokeStyle = style("--ink");
  context.lineWidth = 1.75;
  context.stroke();
  context.restore();
}
