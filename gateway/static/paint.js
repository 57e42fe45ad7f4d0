// Drawing: the ribbon of a tile and the chart of a camera. Eight lanes each, one per emotion, always
// in the same order, so that place tells the emotion as well as colour does.
import { LANES, WIRE_INDEX, color } from "./emotions.js";
import { SPAN_S } from "./cameras.js";

const GAP = 10; // seconds without an event after which a lane's line is broken
const AXIS_PX = 22;
const LANE_GAP = 2;

function sized(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return [context, canvas.clientWidth, canvas.clientHeight];
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Now is at the right edge; a lane is lit where faces showed its emotion, as high as their share.
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

// One area per emotion: its mean probability, second by second. `cursor` is a second, or null.
export function drawChart(canvas, seconds, now, cursor) {
  const [context, width, full] = sized(canvas);
  if (!width) return;
  const height = full - AXIS_PX;
  const lane = height / LANES.length;
  const end = now / 1000;
  const x = (at) => width - ((end - at) / SPAN_S) * width;
  drawGrid(context, width, height, lane, x, end);
  LANES.forEach((name, i) => {
    const base = (i + 1) * lane - LANE_GAP;
    const y = (second) => base - (second.sums[WIRE_INDEX[i]] / second.faces) * (lane - 2 * LANE_GAP);
    for (const run of runs(seconds)) drawArea(context, run, x, y, base, color(name));
  });
  if (cursor !== null) {
    context.fillStyle = style("--ink");
    context.fillRect(x(cursor + 0.5) - 0.5, 0, 1, height);
  }
}

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

// Seconds with a face, split where none was seen for a while.
export function runs(seconds) {
  const found = [];
  for (const second of seconds) {
    if (!second.faces) continue;
    const run = found.at(-1);
    if (run && second.at - run.at(-1).at <= GAP) run.push(second);
    else found.push([second]);
  }
  return found;
}

function drawArea(context, run, x, y, base, fill) {
  context.beginPath();
  context.moveTo(x(run[0].at), base);
  for (const second of run) context.lineTo(x(second.at), y(second));
  const last = run.at(-1);
  context.lineTo(x(last.at + 1), y(last));
  context.lineTo(x(last.at + 1), base);
  context.closePath();
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = style("--soft"); // some of the colours are as light as what is around them
  context.lineWidth = 1;
  context.stroke();
}

// The second under a pixel of the chart.
export function secondAt(canvas, now, pixel) {
  return Math.floor(now / 1000 - (1 - pixel / canvas.clientWidth) * SPAN_S);
}
