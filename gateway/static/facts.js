// Figures of one camera as a list.
import { MEDIAN_OF, rate } from "./cameras.js";
import { textOf } from "./dom.js";
import { peopleIn } from "./faces.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").Latency} Latency */

/**
 * @param {HTMLElement} element
 * @param {Camera} camera
 */
export function drawFacts(element, camera) {
  const { newest, status } = camera;
  const rows = [
    ["Analysed, last 10 s", `${rate(camera.fps())} of ${rate(status?.fps ?? 0)}`],
    ["Worker", status?.owner ?? "none"],
    ["Backlog", String(status?.backlog ?? "unknown")],
  ];
  if (newest) {
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
    rows.unshift(
      ["People in view", String(peopleIn(newest))],
      [`Capture to event, median of ${MEDIAN_OF}`, `${median(({ total_ms }) => total_ms)} ms`],
      [`Queue and waiting, median of ${MEDIAN_OF}`, `${median(({ queue_ms, wait_ms }) => queue_ms + wait_ms)} ms`],
      [`Decode, detect, classify, medians of ${MEDIAN_OF}`, `${parts.join(" + ")} ms`],
    );
    rows.push(
      ["Picture", `${newest.width} × ${newest.height}`],
      ["Model", `${newest.model.name} ${newest.model.version}`],
      ["Detector", newest.model.detector],
      ["Frame", newest.frame_id],
    );
  }
  element.replaceChildren(...rows.flatMap(([name, value]) => [textOf("dt", name), textOf("dd", value)]));
}
