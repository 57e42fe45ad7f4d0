// The last hour of a camera in a cell of a table: a bar for each five minutes, as high as there were
// people in view, in the colour of the emotion that led.
import { WIRE, percent } from "./emotions.js";

/** @typedef {{ start_ms: number, coverage: number, people: { people_mean: number, means: number[] | null } | null }} TrendPoint */

const MINUTE_MS = 60000;
export const STEP = 5; // minutes
const BARS = 12;
const [BAR_PX, HEIGHT_PX] = [6, 22];
const SVG = "http://www.w3.org/2000/svg";

/**
 * The hour before a time, in whole steps, and the step that holds it.
 * @param {number} now
 */
export function lastHour(now) {
  const end = (Math.floor(now / (STEP * MINUTE_MS)) + 1) * STEP * MINUTE_MS;
  return { from: end - (BARS + 1) * STEP * MINUTE_MS, to: end };
}

/** @param {{ people: TrendPoint["people"] }} point */
function leading({ people }) {
  return people?.means ? WIRE[people.means.indexOf(Math.max(...people.means))] : null;
}

/**
 * People on average over what was seen; null if that is unknown.
 * @param {TrendPoint[]} points
 */
export function meanPeople(points) {
  const known = points.flatMap(({ coverage, people }) => (people ? [{ coverage, mean: people.people_mean }] : []));
  const seen = known.reduce((sum, { coverage }) => sum + coverage, 0);
  return seen ? known.reduce((sum, { coverage, mean }) => sum + mean * coverage, 0) / seen : null;
}

/**
 * What the bars show, in words.
 * @param {TrendPoint[]} points
 */
export function inWords(points) {
  const mean = meanPeople(points);
  if (mean === null) return "Last hour: nothing known";
  const sums = WIRE.map((_, i) => points.reduce((sum, { people }) =>
    sum + (people?.means ? people.means[i] * people.people_mean : 0), 0));
  const total = sums.reduce((sum, each) => sum + each, 0);
  const most = sums.indexOf(Math.max(...sums));
  const mood = total ? `, mostly ${WIRE[most]} ${percent(sums[most] / total)}` : "";
  const people = Number(mean.toFixed(1));
  return `Last hour: ${people} ${people === 1 ? "person" : "people"} on average${mood}`;
}

/**
 * @param {TrendPoint[]} points
 * @param {{ from: number, to: number }} hour
 * @param {number} most people, at the height of a whole bar
 */
export function sparkline(points, hour, most) {
  const svg = document.createElementNS(SVG, "svg");
  const width = BAR_PX * (BARS + 1);
  const attributes = { class: "sparkline", viewBox: `0 0 ${width} ${HEIGHT_PX}`, width, height: HEIGHT_PX, role: "img", "aria-label": inWords(points) };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, String(value));
  const title = document.createElementNS(SVG, "title");
  title.textContent = inWords(points);
  svg.append(title, ...points.map((point) => {
    const place = (point.start_ms - hour.from) / (STEP * MINUTE_MS);
    const high = Math.max(1, ((point.people?.people_mean ?? 0) / most) * HEIGHT_PX);
    const bar = document.createElementNS(SVG, "rect");
    const sides = { x: place * BAR_PX, y: HEIGHT_PX - high, width: BAR_PX - 1, height: high };
    for (const [name, value] of Object.entries(sides)) bar.setAttribute(name, String(value));
    bar.dataset.emotion = leading(point) ?? "uncertain";
    return bar;
  }));
  return svg;
}
