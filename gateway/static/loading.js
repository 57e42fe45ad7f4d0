// Loading of what a range of time shows: points of minutes, records of episodes.
import { fetchJson } from "./api.js";

/** @typedef {import("./people.js").EpisodeRecord} EpisodeRecord */
/** @typedef {import("./ranges.js").Span} Span */

const PAGE = 1000;
const WRITTEN_WITHIN_MS = 2000; // after the frame that decided a record

/**
 * @param {string} camera
 * @param {Span} span
 * @param {number} step minutes
 */
export const loadTrend = (camera, { from, to }, step) =>
  fetchJson(`api/cameras/${camera}/trend?from=${Math.floor(from)}&to=${Math.ceil(to)}&step=${step}`);

/**
 * The newest records of a span, in at most so many pages, handed over page by page. Returns the time from
 * which they are complete.
 * @param {string} camera
 * @param {Span} span
 * @param {number} pages
 * @param {(records: EpisodeRecord[]) => void} onPage
 */
export async function loadEpisodes(camera, { from, to }, pages, onPage) {
  let end = Math.ceil(to) + WRITTEN_WITHIN_MS;
  for (let page = 0; page < pages; page += 1) {
    const path = `api/cameras/${camera}/episodes?to=${end}&limit=${PAGE}`;
    const records = /** @type {EpisodeRecord[]} */ ((await fetchJson(path)).episodes);
    onPage(records);
    if (records.length < PAGE || records[0].decided_ms < from) return from;
    const next = records[0].decided_ms + WRITTEN_WITHIN_MS;
    if (next >= end) return records[0].decided_ms;
    end = next;
  }
  return end - WRITTEN_WITHIN_MS;
}
