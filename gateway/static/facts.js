// Figures of one camera as a list.
import { MEDIAN_OF, rate } from "./cameras.js";
import { textOf } from "./dom.js";
import { peopleIn } from "./faces.js";
import { timeOf } from "./frameids.js";
import { isLinked } from "./link.js";
import { timeText } from "./ranges.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").Latency} Latency */

const UNKNOWN = "–";
const WITH_SECONDS_MS = 3600000;

/**
 * @param {HTMLElement} element
 * @param {Camera} camera
 */
export function drawFacts(element, camera) {
  const rows = factsOf(camera);
  element.replaceChildren(...rows.flatMap(([name, value]) => [textOf("dt", name), textOf("dd", value)]));
}

/**
 * What was true a while ago is not among them: those of the newest event while it is current, those of the
 * status while it arrives.
 * @param {Camera} camera
 * @returns {[string, string][]} names and values
 */
export function factsOf(camera) {
  const { newest } = camera;
  if (!newest) return factsOfStatus(camera);
  return [
    ...(camera.health().stale ? staleFacts(newest) : currentFacts(camera, newest)),
    ...factsOfStatus(camera),
    ["Picture", `${newest.width} × ${newest.height}`],
    ["Model", `${newest.model.name} ${newest.model.version}`],
    ["Detector", newest.model.detector],
    ["Frame", newest.frame_id],
  ];
}

/**
 * @param {Camera} camera
 * @returns {[string, string][]}
 */
function factsOfStatus(camera) {
  const status = isLinked() ? camera.status : null;
  return [
    ["Analysed, last 10 s", status ? analysed(camera.fps(), status.fps) : UNKNOWN],
    ["Worker", status ? status.owner ?? "none" : UNKNOWN],
    ["Backlog", status ? String(status.backlog ?? "unknown") : UNKNOWN],
  ];
}

/**
 * @param {number} fps of events
 * @param {number} stored frames per second
 */
function analysed(fps, stored) {
  if (stored > 0) return `${rate(fps)} of ${rate(stored)}`;
  return fps > 0 ? `${rate(fps)}, and no frames arrive now` : "no frames arrive";
}

/**
 * @param {EmotionEvent} newest
 * @returns {[string, string][]}
 */
const staleFacts = (newest) => [
  ["People in view", UNKNOWN],
  ["Newest event", timeText(timeOf(newest.frame_id), WITH_SECONDS_MS)],
];

/**
 * @param {Camera} camera
 * @param {EmotionEvent} newest
 * @returns {[string, string][]}
 */
function currentFacts(camera, newest) {
  /** @param {(latency: Latency) => number} of */
  const median = (of) => {
    const ms = camera.median(({ latency }) => of(latency)) ?? 0;
    return ms.toFixed(ms < 10 ? 1 : 0);
  };
  const parts = [
    median(({ decode_ms }) => decode_ms),
    median(({ detect_ms }) => detect_ms),
    median(({ classify_ms }) => classify_ms),
  ];
  return [
    ["People in view", String(peopleIn(newest))],
    [`Capture to event, median of ${MEDIAN_OF}`, `${median(({ total_ms }) => total_ms)} ms`],
    [`Queue and waiting, median of ${MEDIAN_OF}`, `${median(({ queue_ms, wait_ms }) => queue_ms + wait_ms)} ms`],
    [`Decode, detect, classify, medians of ${MEDIAN_OF}`, `${parts.join(" + ")} ms`],
  ];
}
