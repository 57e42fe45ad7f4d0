// Loading of what a range of time shows: points of minutes, records of episodes.
import { fetchJson } from "./api.js";
import { clock } from "./cameras.js";
import { timeOf } from "./frameids.js";

/** @typedef {import("./people.js").EpisodeRecord} EpisodeRecord */
/** @typedef {import("./ranges.js").Span} Span */

const PAGE = 1000; // episodes
const PAGES = 5;
const WRITTEN_WITHIN_MS = 2000; // after the frame that decided a record

/**
 * @param {string} camera
 * @param {Span} span
 * @param {number} step minutes
 */
export const loadTrend = (camera, { from, to }, step, fetch = fetchJson) =>
  fetch(`api/cameras/${camera}/trend?from=${Math.floor(from)}&to=${Math.ceil(to)}&step=${step}`);

/**
 * How far the clock of Redis, by which records of episodes are dated, is ahead of the camera's, by which all
 * else is.
 * @param {import("./cameras.js").Camera} camera
 */
export const recordsAhead = (camera) => clock.now() - camera.now();

/**
 * The newest records of a span, of each episode the last one in a page, handed over page by page.
 * @param {string} camera
 * @param {Span} span
 * @param {(records: EpisodeRecord[]) => void} onPage
 * @returns {Promise<{ since: number, kept: number }>} from when on all that are kept are loaded, and
 *   from when on Redis keeps any
 */
export async function loadEpisodes(camera, { from, to }, onPage, fetch = fetchJson) {
  let place = `to=${Math.ceil(to) + WRITTEN_WITHIN_MS}`;
  let since = to;
  let kept = -Infinity;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await fetch(`api/cameras/${camera}/episodes?${place}&limit=${PAGE}&compact=true`);
    onPage(answer.episodes);
    kept = answer.oldest_ms ?? kept;
    if (answer.previous === null) return { since: from, kept };
    since = timeOf(answer.previous);
    if (since < from) return { since: from, kept };
    place = `before=${answer.previous}`;
  }
  return { since, kept };
}
