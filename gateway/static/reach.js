// From when on the records of persons in a range are complete.

/**
 * `since`: Infinity before they are loaded. `missing`: what became of earlier ones of the range, empty if
 * there are none.
 * @typedef {{ since: number, missing: "" | "not loaded" | "no longer kept" }} Reach
 */

const NOTICED_AFTER_MS = 5000; // a person's first record is written within this time

/**
 * Redis keeps the newest records. That earlier ones are gone shows in those who were in view before.
 * @param {{ since: number, kept: number }} records from when on they are loaded, and kept
 * @param {import("./ranges.js").Point[]} points
 * @param {number} from the begin of the range
 * @returns {Reach}
 */
export function reachOf({ since, kept }, points, from) {
  const areGone = kept > Math.max(since, from)
    && points.some(({ to, people }) => people && to < kept - NOTICED_AFTER_MS);
  if (areGone) return { since: kept, missing: "no longer kept" };
  return since > from ? { since, missing: since === Infinity ? "" : "not loaded" } : { since: from, missing: "" };
}
