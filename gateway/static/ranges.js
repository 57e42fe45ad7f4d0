// The ranges of time that a camera's page shows, and what follows from one: its axis, its exports.

/**
 * `step`: minutes per point, 0 for seconds; `tick_ms`: between labels of the axis.
 * @typedef {{ key: string, name: string, span_ms: number, step: number, tick_ms: number }} Range
 */
/** @typedef {{ from: number, to: number }} Span Unix milliseconds */
/**
 * What was seen in a while. `coverage`: which share of it was seen; `people`: how many were in view on
 * average (tracks, or faces where none is followed), null if unknown; `means`: of each emotion's smoothed
 * probability in the order of WIRE, null without a face.
 * @typedef {Span & { coverage: number, people: number | null, means: number[] | null }} Point
 */

const MINUTE = 60000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SUMMED_AFTER_MS = 65000; // after a minute's begin it is summed up

/** @type {Range[]} */
export const RANGES = [
  { key: "5min", name: "5 min", span_ms: 5 * MINUTE, step: 0, tick_ms: MINUTE },
  { key: "1h", name: "1 h", span_ms: HOUR, step: 1, tick_ms: 10 * MINUTE },
  { key: "24h", name: "24 h", span_ms: DAY, step: 5, tick_ms: 3 * HOUR },
  { key: "7d", name: "7 d", span_ms: 7 * DAY, step: 60, tick_ms: DAY },
  { key: "30d", name: "30 d", span_ms: 30 * DAY, step: 180, tick_ms: 3 * DAY },
];

/** @param {string} key */
export const rangeOf = (key) => RANGES.find((range) => range.key === key) ?? RANGES[0];

/**
 * The local times at which the axis has labels.
 * @param {Span} span
 * @param {number} tick_ms
 * @returns {number[]}
 */
export function ticks({ from, to }, tick_ms) {
  const zone = (/** @type {number} */ at) => new Date(at).getTimezoneOffset() * MINUTE;
  const found = [];
  const first = Math.ceil((from - zone(from)) / tick_ms) * tick_ms + zone(from);
  for (let at = first; at <= to; at += tick_ms) found.push(at + zone(at) - zone(first));
  return found;
}

/**
 * @param {number} at
 * @param {number} tick_ms
 */
export function tickText(at, tick_ms) {
  return tick_ms < DAY
    ? new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : new Date(at).toLocaleDateString([], { day: "numeric", month: "short" });
}

/**
 * A time as text: with its date unless that is today's, with seconds in short ranges.
 * @param {number} at
 * @param {number} span_ms
 */
export function timeText(at, span_ms) {
  const time = new Date(at);
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { hour: "2-digit", minute: "2-digit" };
  if (span_ms <= HOUR) options.second = "2-digit";
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString([], options)
    : time.toLocaleString([], { ...options, day: "numeric", month: "short" });
}

/**
 * @param {string} camera
 * @param {string} kind
 * @param {string} format
 * @param {Span} span
 */
export const exportPath = (camera, kind, format, { from, to }) =>
  `api/cameras/${camera}/export?kind=${kind}&format=${format}&from=${Math.floor(from)}&to=${Math.ceil(to)}`;

/**
 * Points of seconds: one was seen if it has an event.
 * @param {import("./cameras.js").Second[]} seconds
 * @returns {Point[]}
 */
export const pointsOfSeconds = (seconds) => seconds.filter(({ events }) => events).map((second) => ({
  from: second.at * 1000,
  to: second.at * 1000 + 1000,
  coverage: 1,
  people: second.people / second.events,
  means: second.faces ? second.sums.map((sum) => sum / second.faces) : null,
}));

/**
 * Points of /trend. Of the newest one only the minutes that are summed up by now can be covered.
 * @param {{ start_ms: number, coverage: number, people: { people_mean: number, means: number[] | null } | null }[]} points
 * @param {number} step minutes
 * @param {number} now
 * @returns {Point[]}
 */
export const pointsOfTrend = (points, step, now) => points.map(({ start_ms, coverage, people }) => {
  const minutes = Math.min(step, Math.max(1, Math.floor((now - SUMMED_AFTER_MS - start_ms) / MINUTE) + 1));
  return {
    from: start_ms,
    to: start_ms + minutes * MINUTE,
    coverage: Math.min(1, (coverage * step) / minutes),
    people: people && people.people_mean,
    means: people && people.means,
  };
});

/**
 * Spans in which nothing was seen for longer than `gap_ms`. What is not summed up yet is not among them.
 * @param {Span[]} points in order
 * @param {Span} span
 * @param {number} gap_ms
 * @returns {Span[]}
 */
export function unseen(points, { from, to }, gap_ms) {
  const found = [];
  let last = from;
  for (const point of [...points, { from: to, to }]) {
    if (point.from - last > gap_ms) found.push({ from: last, to: point.from });
    last = Math.max(last, point.to);
  }
  return found;
}

/**
 * The end of what can be known by now: minutes are summed up once they are over.
 * @param {number} step
 * @param {number} now
 */
export const knownUntil = (step, now) => (step ? Math.floor((now - SUMMED_AFTER_MS) / MINUTE) * MINUTE : now);
