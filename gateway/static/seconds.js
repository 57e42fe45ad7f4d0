// What was seen in each of the last seconds of a camera.
import { WIRE } from "./emotions.js";

/**
 * The faces of one second: counts and sums of probabilities in the order of WIRE.
 * @typedef {{
 *   at: number, events: number, faces: number, counts: number[], sums: number[],
 * }} Second
 */
/** @typedef {Omit<Second, "sums"> & { means: number[] }} WireSecond as the API has it */


export const SPAN_S = 300;

/**
 * @param {WireSecond} second
 * @returns {Second}
 */
export const fromWire = ({ at, events, faces, counts, means }) => ({
  at, events, faces, counts: [...counts], sums: means.map((mean) => mean * faces),
});

/**
 * Count an event in; seconds that are too old leave.
 * @param {Second[]} seconds
 * @param {import("./messages.js").EmotionEvent} event
 */
export function addEvent(seconds, event) {
  const at = Math.floor(Number(event.frame_id.split("-")[0]) / 1000);
  let second = seconds.at(-1);
  if (!second || second.at < at) {
    second = { at, events: 0, faces: 0, counts: WIRE.map(() => 0), sums: WIRE.map(() => 0) };
    seconds.push(second);
  }
  second.events += 1;
  for (const face of event.faces) {
    second.faces += 1;
    second.counts[WIRE.indexOf(face.emotion)] += 1;
    WIRE.forEach((name, i) => { second.sums[i] += face.probabilities[name]; });
  }
  while (seconds[0].at <= at - SPAN_S) seconds.shift();
}

/**
 * Shares of each emotion (in WIRE order) among the faces since a time, null without any.
 * @param {Second[]} seconds
 * @param {number} since_s
 */
export function sharesSince(seconds, since_s) {
  const sums = WIRE.map(() => 0);
  let faces = 0;
  for (const second of seconds) {
    if (second.at < since_s) continue;
    faces += second.faces;
    second.counts.forEach((count, i) => { sums[i] += count; });
  }
  return faces ? sums.map((sum) => sum / faces) : null;
}
