// Points and tracks of a camera over time in words.
import { LANES, WIRE_INDEX, percent } from "./emotions.js";
import { lasting } from "./people.js";
import { timeText } from "./ranges.js";

/** @typedef {import("./people.js").Showing} Showing */
/** @typedef {import("./people.js").Track} Track */
/** @typedef {import("./ranges.js").Point} Point */
/** @typedef {import("./ranges.js").Range} Range */
/** @typedef {import("./reach.js").Reach} Reach */
/** @typedef {import("./ranges.js").Span} Span */

/**
 * Why nothing is shown.
 * @param {string} nothing
 * @param {Reach} reach
 * @param {Span} span
 */
export function whyNothing(nothing, reach, span) {
  if (reach.since === Infinity) return "Not loaded yet";
  return reach.missing ? `${nothing} ${sinceText(reach, span)}` : `${nothing} in this range`;
}

/**
 * @param {Reach} reach with something missing
 * @param {Span} span
 */
export const sinceText = ({ since, missing }, { from, to }) => `since ${timeText(since, to - from)}; earlier records are ${missing}`;

/**
 * Why what is shown is not all; empty if it is.
 * @param {boolean} isLoaded some of it at least
 * @param {boolean} failed the last try to load it
 */
export function whyNotLoaded(isLoaded, failed) {
  if (failed) return `${isLoaded ? "Not all could" : "Could not"} be loaded; the page tries again`;
  return isLoaded ? "" : "Loading";
}

/**
 * @param {number} at
 * @param {Track} track
 * @param {Showing | null} showing
 * @param {number} number of the person
 * @param {Range} range
 */
export function ofTrack(at, track, showing, number, { span_ms }) {
  const shown = showing ?? [...track.showings.values()].find(({ start, end }) => start <= at && at <= end);
  const stay = `${track.open ? "in view for" : "was in view for"} ${lasting(track.end - track.start)}`;
  const what = shown ? `${shown.emotion} ${percent(shown.mean)} for ${lasting(shown.end - shown.start)}` : "no lasting emotion";
  return `${timeText(at, span_ms)}: person ${number}, ${what}; ${stay}`;
}

/**
 * @param {number} at
 * @param {Point[]} points
 * @param {Span[]} unseen
 * @param {Range} range
 * @param {number} knownUntil
 */
export function ofTime(at, points, unseen, { span_ms }, knownUntil) {
  const time = (/** @type {number} */ ms) => timeText(ms, span_ms);
  const gap = unseen.find(({ from, to }) => from <= at && at < to);
  if (gap) return `${time(gap.from)} to ${time(gap.to)}: not seen`;
  const point = points.find(({ from, to }) => from <= at && at < to);
  if (!point) return `${time(at)}: ${at < knownUntil ? "no picture" : "not known yet"}`;
  const seen = point.coverage < 0.995 ? `, ${percent(point.coverage)} of it seen` : "";
  return `${time(point.from)}: ${describe(point)}${seen}`;
}

/**
 * What was beside it at that time.
 * @param {number} at
 * @param {Point[]} points
 * @param {string} title
 * @param {number} knownUntil
 */
export function ofCompared(at, points, title, knownUntil) {
  const point = points.find(({ from, to }) => from <= at && at < to);
  const nothing = at < knownUntil ? "not seen" : "not known yet";
  return `${title}: ${point ? describe(point) : nothing}`;
}

/** @param {Point} point */
function describe({ people, means }) {
  if (people === null) return "people withheld";
  if (!people) return "no one in view";
  const count = `${Number(people.toFixed(1))} ${people === 1 ? "person" : "people"} in view`;
  if (!means) return count;
  const [{ name, mean }] = LANES.map((lane, i) => ({ name: lane, mean: means[WIRE_INDEX[i]] }))
    .sort((a, b) => b.mean - a.mean);
  return `${name} ${percent(mean)}, ${count}`;
}

/**
 * Means of the emotions over all points, weighted by how many were in view.
 * @param {Point[]} points
 */
export function summary(points) {
  const seen = points.filter(({ means }) => means);
  const total = seen.reduce((sum, { people }) => sum + (people ?? 0), 0);
  if (!total) return "none";
  return LANES.map((name, i) => {
    const sum = seen.reduce((all, { people, means }) => all + (people ?? 0) * (means?.[WIRE_INDEX[i]] ?? 0), 0);
    return { name, share: sum / total };
  }).filter(({ share }) => share >= 0.005).map(({ name, share }) => `${name} ${percent(share)}`).join(", ");
}

/**
 * How many people were in view on average, weighted by what was seen.
 * @param {Point[]} points
 */
export function peopleOnAverage(points) {
  let [sum, seen] = [0, 0];
  for (const { from, to, coverage, people } of points) {
    if (people === null) continue;
    sum += people * coverage * (to - from);
    seen += coverage * (to - from);
  }
  const mean = Number((sum / seen).toFixed(1));
  return seen ? `${mean} ${mean === 1 ? "person" : "people"} on average` : "nothing seen";
}

/**
 * People and emotions on average, or why they are not known.
 * @param {{ isLoaded: boolean, problem: string }} source
 * @param {Point[]} points of it
 */
export const averages = ({ isLoaded, problem }, points) =>
  (isLoaded ? `${peopleOnAverage(points)}; ${summary(points)}` : problem.toLowerCase());
