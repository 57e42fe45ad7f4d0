// What is not known of a range of time is not taken for what was not seen.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Backoff } from "../../../gateway/static/backoff.js";
import { Camera } from "../../../gateway/static/cameras.js";
import { link } from "../../../gateway/static/link.js";
import { RangeData } from "../../../gateway/static/rangedata.js";
import { rangeOf } from "../../../gateway/static/ranges.js";
import { averages, ofCompared, ofTime } from "../../../gateway/static/reading.js";

const MINUTE = 60000;
const HOUR = 60 * MINUTE;

// A camera whose clock the test sets, and a picker of its last hours or minutes.
const scene = (key) => {
  const camera = new Camera("door");
  const range = rangeOf(key);
  const time = { now: 100 * HOUR };
  camera.now = () => time.now;
  const picker = { range, live: true, get span() { return { from: time.now - range.span_ms, to: time.now }; } };
  return { camera, range, picker, time };
};
const rangeData = ({ camera, picker }, loadTrend) =>
  new RangeData(camera, picker, () => {}, { loadTrend, loadEpisodes: async (_, { from }) => ({ since: from, kept: -Infinity }) });
const minutesOf = (from, to) => {
  const points = [];
  for (let at = from; at < to; at += MINUTE) points.push({ start_ms: at, coverage: 1, people: null });
  return { points };
};

beforeEach(() => { Object.assign(link, { gateway: true, redis: true }); });

test("a range that is loading has no gaps, and says so", async () => {
  const shown = scene("1h");
  const answer = Promise.withResolvers();
  const data = rangeData(shown, () => answer.promise);
  const loading = data.load();
  assert.deepEqual([data.isLoaded, data.unseen(), data.problem], [false, [], "Loading"]);
  assert.match(ofTime(shown.time.now - HOUR / 2, data.points(), data.unseen(), shown.range, data.knownUntil), /: not known yet$/);
  answer.resolve({ points: [] });
  await loading;
  assert.deepEqual([data.isLoaded, data.unseen().length, data.problem], [true, 1, ""]);
  data.clear();
  assert.deepEqual([data.isLoaded, data.unseen()], [false, []]);
});

test("a range that cannot be loaded has no gaps, says so, and is not asked for at each draw", async () => {
  const shown = scene("24h");
  let asked = 0;
  const data = rangeData(shown, async () => { asked += 1; throw new Error("503"); });
  await data.load();
  for (let draw = 0; draw < 10; draw += 1) data.refresh();
  assert.deepEqual([asked, data.isLoaded, data.unseen()], [1, false, []]);
  assert.equal(data.problem, "Could not be loaded; the page tries again");
  assert.equal(averages(data, data.points()), "could not be loaded; the page tries again");
});

test("what was not loaded since is not a gap, however long that is", async () => {
  const shown = scene("1h");
  const { time } = shown;
  const answers = [minutesOf(time.now - HOUR, time.now - 2 * MINUTE)];
  const data = rangeData(shown, async () => answers.shift() ?? Promise.reject(new Error("away")));
  await data.load();
  assert.deepEqual(data.unseen(), []);
  time.now += 30 * MINUTE;
  await data.load(false);
  assert.deepEqual(data.unseen(), []);
  assert.equal(data.problem, "Not all could be loaded; the page tries again");
  assert.match(ofTime(time.now - 5 * MINUTE, data.points(), data.unseen(), shown.range, data.knownUntil), /: not known yet$/);
});

test("the last minutes have no gaps before they are loaded, or after the connection was lost", () => {
  const shown = scene("5min");
  const { camera, time } = shown;
  const data = rangeData(shown, null);
  assert.deepEqual([data.isLoaded, data.unseen(), data.problem], [false, [], "Loading"]);
  camera.minutes = "failed";
  assert.equal(data.problem, "Could not be loaded; the page tries again");
  camera.stale = false;
  camera.load({ seconds: [], last: `${time.now - MINUTE}-0`, age_ms: MINUTE });
  assert.deepEqual(data.unseen(), [{ from: time.now - 5 * MINUTE, to: time.now }]);
  link.gateway = false;
  assert.deepEqual(data.unseen(), [{ from: time.now - 5 * MINUTE, to: time.now - MINUTE }]);
});

test("a comparison that is not loaded was not unseen", () => {
  assert.equal(ofCompared(5, [], "Hall", -Infinity), "Hall: not known yet");
  assert.equal(ofCompared(5, [], "Hall", 10), "Hall: not seen");
});

test("tries follow at longer and longer intervals, and at once after a success", () => {
  const backoff = new Backoff();
  assert.equal(backoff.isDue(0), true);
  assert.deepEqual([0, 0, 0, 0, 0, 0, 0].map((now) => backoff.failed(now)), [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.deepEqual([backoff.isDue(29999), backoff.isDue(30000)], [false, true]);
  backoff.succeeded();
  assert.equal(backoff.failed(0), 1000);
});
