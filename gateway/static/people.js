// People over time: a camera's records of episodes as tracks, lanes and moments.
import { timeOf } from "./frameids.js";

/**
 * @typedef {{
 *   id: string, type: string, track: string, decided_ms: number, start_ms: number,
 *   end_ms: number | null, duration_ms: number, emotion: string | null,
 *   confidence_mean: number | null, confidence_peak: number | null, peak_ms: number | null,
 * }} EpisodeRecord
 */
/**
 * While a steady label showed. `open`: whether it still does; `decided`: the time of the newest record.
 * @typedef {{
 *   id: string, decided: number, emotion: string, start: number, end: number, open: boolean,
 *   mean: number, peak: number, peakAt: number,
 * }} Showing
 */
/** @typedef {{ id: string, start: number, end: number, open: boolean, entered: boolean, showings: Map<string, Showing> }} Track */
/** @typedef {{ id: string, at: number, track: string, emotion: string | null, peak: number }} Moment */
/** @typedef {import("./ranges.js").Span} Span */

const STRONG = 0.7; // peak of a probability from which an episode is a moment

export class People {
  /** @type {Map<string, Track>} */
  tracks = new Map();

  /** @param {EpisodeRecord} record */
  add(record) {
    const last = record.end_ms ?? record.start_ms + record.duration_ms;
    const track = this.#trackOf(record.track, record.start_ms);
    track.start = Math.min(track.start, record.start_ms);
    track.end = Math.max(track.end, last);
    if (record.type === "face.entered") track.entered = true;
    if (record.type === "face.left") {
      Object.assign(track, { entered: true, open: false });
      for (const showing of track.showings.values()) showing.open = false;
    }
    if (record.emotion === null) return;
    const before = track.showings.get(record.id);
    // Records may come again, and not in order.
    if (before && (!before.open || record.decided_ms < before.decided)) return;
    track.showings.set(record.id, {
      id: record.id,
      decided: record.decided_ms,
      emotion: record.emotion,
      start: record.start_ms,
      end: Math.max(last, before?.end ?? 0),
      open: record.end_ms === null && track.open,
      mean: record.confidence_mean ?? 0,
      peak: record.confidence_peak ?? 0,
      peakAt: record.peak_ms ?? record.start_ms,
    });
  }

  /**
   * A person in a picture is still there.
   * @param {import("./cameras.js").EmotionEvent} event
   */
  see(event) {
    const at = timeOf(event.frame_id);
    for (const face of event.faces) {
      const track = face.track ? this.tracks.get(face.track) : undefined;
      if (!track?.open) continue;
      track.end = Math.max(track.end, at);
      for (const showing of track.showings.values()) {
        if (showing.open && showing.emotion === face.label) showing.end = Math.max(showing.end, at);
      }
    }
  }

  /**
   * Drop those who were last seen before a time.
   * @param {number} from
   */
  forget(from) {
    for (const [id, track] of this.tracks) if (track.end < from) this.tracks.delete(id);
  }

  /**
   * @param {string} id
   * @param {number} start
   */
  #trackOf(id, start) {
    const track = this.tracks.get(id)
      ?? { id, start, end: start, open: true, entered: false, showings: new Map() };
    this.tracks.set(id, track);
    return track;
  }

  /**
   * Those in view at some time of the span, by when they came.
   * @param {Span} span
   */
  within({ from, to }) {
    return [...this.tracks.values()]
      .filter((track) => track.start < to && track.end >= from)
      .sort((a, b) => a.start - b.start || (a.id < b.id ? -1 : 1));
  }

  /**
   * Who came, and what was shown strongly, newest first.
   * @param {Span} span
   * @returns {Moment[]}
   */
  moments(span) {
    /** @type {Moment[]} */
    const found = [];
    for (const track of this.within(span)) {
      if (track.entered) found.push({ id: track.id, at: track.start, track: track.id, emotion: null, peak: 0 });
      for (const { id, emotion, peak, peakAt } of track.showings.values()) {
        if (emotion === "neutral" || peak < STRONG) continue;
        found.push({ id, at: peakAt, track: track.id, emotion, peak });
      }
    }
    return found.filter(({ at }) => at >= span.from && at < span.to).sort((a, b) => b.at - a.at);
  }
}

/**
 * The tracks in as few lanes as there are people in view at once: each takes the first that is free.
 * @param {Track[]} tracks by when they came
 * @returns {Track[][]}
 */
export function lanesOf(tracks) {
  /** @type {Track[][]} */
  const lanes = [];
  for (const track of tracks) {
    const free = lanes.find((lane) => lane[lane.length - 1].end < track.start);
    if (free) free.push(track);
    else lanes.push([track]);
  }
  return lanes;
}

/** What is read out in turn: each track and what it showed, by time.
 * @param {Track[]} tracks
 * @returns {{ at: number, track: Track, showing: Showing | null }[]}
 */
export function stopsOf(tracks) {
  return tracks.flatMap((track) => [
    { at: track.start, track, showing: /** @type {Showing | null} */ (null) },
    ...[...track.showings.values()].map((showing) => ({ at: showing.start, track, showing })),
  ]).sort((a, b) => a.at - b.at);
}

/**
 * A duration as text.
 * @param {number} ms
 */
export function lasting(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
