// What was seen in each of the last seconds of a camera.
import { WIRE } from "./emotions.js";
import { shownBy } from "./faces.js";
import { timeOf } from "./frameids.js";
import { unseen } from "./ranges.js";

/** @typedef {import("./ranges.js").Span} Span */
/**
 * The faces of one second, in the order of WIRE: counts by label, without those that are uncertain, and
 * sums of smoothed probabilities. `people`: the sum of those in view over the events; `lastSeen`: of the
 * newest second, the number of the event that saw each track last.
 * @typedef {{
 *   at: number, events: number, faces: number, people: number, counts: number[], sums: number[],
 *   lastSeen: Map<string, number> | null,
 * }} Second
 */
/**
 * As the API has it: `people` is the mean.
 * @typedef {Omit<Second, "sums" | "lastSeen"> & { means: number[] }} WireSecond
 */

export const SPAN_S = 300;
const KEPT_S = SPAN_S + 2; // of the first and the last one a part is shown
const GAP_PERIODS = 3;
const LEAST_GAP_MS = 900; // points are of whole seconds

/**
 * @param {WireSecond} second
 * @returns {Second}
 */
export const fromWire = ({ at, events, faces, people, counts, means }) => ({
  at, events, faces, people: people * events, counts: [...counts],
  sums: means.map((mean) => mean * faces), lastSeen: null,
});

/**
 * Count an event in; seconds that are too old leave.
 * @param {Second[]} seconds
 * @param {import("./messages.js").EmotionEvent} event
 */
export function addEvent(seconds, event) {
  const at = Math.floor(timeOf(event.frame_id) / 1000);
  let second = seconds.at(-1);
  if (!second || second.at < at) {
    if (second) second.lastSeen = null;
    second = { at, events: 0, faces: 0, people: 0, counts: WIRE.map(() => 0), sums: WIRE.map(() => 0), lastSeen: null };
    seconds.push(second);
  }
  second.events += 1;
  second.people += countPeople(second, event);
  for (const face of event.faces) {
    second.faces += 1;
    const shown = WIRE.indexOf(shownBy(face));
    if (shown >= 0) second.counts[shown] += 1;
    const shares = face.smoothed ?? face.probabilities;
    WIRE.forEach((name, i) => { second.sums[i] += shares[name]; });
  }
  while (seconds[0].at <= at - KEPT_S) seconds.shift();
}

/**
 * People in view are tracks; in an event whose faces have none, faces. A track that some events between
 * two of its sightings missed was in view in these, too.
 * @param {Second} second
 * @param {import("./messages.js").EmotionEvent} event
 */
function countPeople(second, event) {
  const tracks = new Set(event.faces.flatMap(({ track }) => track ?? []));
  if (!tracks.size) return event.faces.length;
  const lastSeen = second.lastSeen ??= new Map();
  let people = 0;
  for (const track of tracks) {
    people += second.events - (lastSeen.get(track) ?? second.events - 1);
    lastSeen.set(track, second.events);
  }
  return people;
}

/**
 * Shares of each emotion (in WIRE order) among the labels since a time, null without any.
 * @param {Second[]} seconds
 * @param {number} since_s
 */
export function sharesSince(seconds, since_s) {
  const sums = WIRE.map(() => 0);
  for (const second of seconds) {
    if (second.at >= since_s) second.counts.forEach((count, i) => { sums[i] += count; });
  }
  const total = sums.reduce((sum, each) => sum + each, 0);
  return total ? sums.map((sum) => sum / total) : null;
}

/**
 * The longest pause between two events that is none of the camera's own: several of its periods.
 * @param {Second[]} seconds
 * @param {number} fps at which its pictures come, 0 if that is not known
 */
export function gapAfter(seconds, fps) {
  const periods = seconds.slice(1).map(({ at }, i) => (1000 * (at - seconds[i].at)) / seconds[i].events);
  const median = periods.sort((a, b) => a - b)[periods.length >> 1] ?? Infinity;
  // While nothing comes its rate falls; what has come before says more then.
  const period = Math.min(median, fps > 0 ? 1000 / fps : Infinity);
  return Number.isFinite(period) ? Math.max(LEAST_GAP_MS, GAP_PERIODS * period) : LEAST_GAP_MS;
}

/**
 * Spans of the last minutes in which nothing was seen.
 * @param {Second[]} seconds
 * @param {Span} span
 * @param {number} gap_ms
 */
export const unseenSeconds = (seconds, span, gap_ms) =>
  unseen(seconds.map(({ at }) => ({ from: at * 1000, to: at * 1000 + 1000 })), span, gap_ms);
