// What is said of a face: its steady label, its person's number, and why it has none.
import { percent } from "./emotions.js";

/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").Face} Face */

// Limits of the worker, docs/tracking.md: beyond them a face has no label.
const MIN_SIDE = 14;
const MIN_SHARPNESS = 8;
const MAX_TURN_DEGREES = 50;

/**
 * Faces from left to right: their order in events is arbitrary, and numbers should stay.
 * @param {EmotionEvent} event
 */
export const ordered = (event) => [...event.faces].sort((a, b) => a.box[0] - b.box[0]);

/** @param {Face} found */
const isTooSmall = ({ box }) => Math.max(box[2], box[3]) < MIN_SIDE;

/**
 * The steady label if the face's track has one, else the emotion in this frame alone.
 * @param {Face} found
 */
export const shownBy = (found) => found.label ?? (isTooSmall(found) ? "uncertain" : found.emotion);

/** @param {Face} found */
export function inWords(found) {
  const shown = shownBy(found);
  if (shown === "uncertain") return shown;
  const share = found.label ? found.smoothed?.[found.label] : found.confidence;
  return share === undefined ? shown : `${shown} ${percent(share)}`;
}

/**
 * Why no label is given, empty if none of the limits says it.
 * @param {Face} found
 */
function whyUncertain(found) {
  if (isTooSmall(found)) return "too small to read";
  if (Math.abs(found.turn_degrees ?? 0) > MAX_TURN_DEGREES) return "turned away";
  if ((found.sharpness ?? MIN_SHARPNESS) < MIN_SHARPNESS) return "blurred";
  return "";
}

/**
 * @param {Face} found
 * @param {number | null} number of its person
 */
export function details(found, number) {
  const person = number === null ? "Face, seen once" : `Person ${number}`;
  const why = shownBy(found) === "uncertain" ? whyUncertain(found) : "";
  const side = Math.round(Math.max(found.box[2], found.box[3]));
  return `${person}: ${inWords(found)}${why && ` (${why})`}; in this picture ${found.emotion} ${percent(found.confidence)}, ${side} pixels`;
}

/**
 * People in view: tracks. A face that was seen only once may be none; without tracking each face counts.
 * @param {EmotionEvent | null} event
 */
export function peopleIn(event) {
  const faces = event?.faces ?? [];
  return faces.filter(({ track }) => track).length || faces.length;
}

/**
 * What stays the same for a face from picture to picture: its track, or its place in the row.
 * @param {Face} found
 * @param {number} index
 */
export const identityOf = (found, index) => found.track ?? `#${index}`;

/**
 * @param {string} name
 * @param {EmotionEvent | null | undefined} event
 * @param {boolean} stale
 */
export function describe(name, event, stale) {
  if (!event) return `${name}: no picture yet`;
  if (stale) return `${name}: no current picture`;
  if (!event.faces.length) return `${name}: no face`;
  return `${name}: ${ordered(event).map(inWords).join(", ")}`;
}
