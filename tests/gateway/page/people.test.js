import assert from "node:assert/strict";
import { test } from "node:test";

import { People, lanesOf, lasting, stopsOf } from "../../../gateway/static/people.js";
import { pointsOfTrend, rangeOf, ticks, unseen } from "../../../gateway/static/ranges.js";
import { whyNothing } from "../../../gateway/static/reading.js";

const record = (type, track, start_ms, fields = {}) => ({
  id: `door/${track}/0`, type, track, decided_ms: start_ms, start_ms, end_ms: null, duration_ms: 0,
  emotion: null, confidence_mean: null, confidence_peak: null, peak_ms: null, ...fields,
});
const showing = (type, track, start_ms, number, emotion, fields = {}) =>
  record(type, track, start_ms, { id: `door/${track}/${number}`, emotion, confidence_mean: 0.6, confidence_peak: 0.8, ...fields });
const ALL = { from: 0, to: 1e6 };

test("records of a track become one bar with what it showed", () => {
  const people = new People();
  people.add(record("face.entered", "a", 1000));
  people.add(showing("emotion.started", "a", 2000, 1, "happiness"));
  people.add(showing("emotion.ended", "a", 2000, 1, "happiness", { end_ms: 5000, duration_ms: 3000 }));
  people.add(record("face.left", "a", 1000, { end_ms: 8000, duration_ms: 7000 }));
  const [track] = people.within(ALL);
  assert.deepEqual([track.start, track.end, track.open], [1000, 8000, false]);
  assert.deepEqual([...track.showings.values()].map(({ start, end, open }) => [start, end, open]), [[2000, 5000, false]]);
});

test("records may come twice and in any order", () => {
  const records = [
    record("face.entered", "a", 1000),
    showing("emotion.started", "a", 2000, 1, "fear"),
    showing("emotion.updated", "a", 2000, 1, "fear", { duration_ms: 2000 }),
    showing("emotion.ended", "a", 2000, 1, "fear", { end_ms: 5000 }),
    record("face.left", "a", 1000, { end_ms: 8000 }),
  ];
  const [one, other] = [new People(), new People()];
  for (const each of records) one.add(each);
  for (const each of [...records, ...records].reverse()) other.add(each);
  assert.deepEqual(other.within(ALL), one.within(ALL));
});

test("an older report of an emotion that lasts does not replace a newer one", () => {
  const people = new People();
  const report = (decided_ms, confidence_peak) => showing("emotion.updated", "a", 2000, 1, "fear", { decided_ms, confidence_peak });
  people.add(report(9000, 0.9));
  people.add(report(5000, 0.6));
  assert.equal(people.within(ALL)[0].showings.get("door/a/1").peak, 0.9);
});

test("who is in a picture is still there, and shows what the label says", () => {
  const people = new People();
  people.add(showing("emotion.started", "a", 2000, 1, "fear"));
  people.see({ frame_id: "6000-0", faces: [{ track: "a", label: "fear" }, { track: "b", label: "fear" }] });
  people.see({ frame_id: "7000-0", faces: [{ track: "a", label: "uncertain" }] });
  const [track] = people.within(ALL);
  assert.equal(track.end, 7000);
  assert.equal(track.showings.get("door/a/1").end, 6000);
  assert.equal(people.tracks.size, 1);
});

test("there are as many lanes as people in view at once", () => {
  const track = (id, start, end) => ({ id, start, end, showings: new Map() });
  const tracks = [track("a", 0, 10), track("b", 5, 15), track("c", 11, 20), track("d", 16, 30)];
  assert.deepEqual(lanesOf(tracks).map((lane) => lane.map(({ id }) => id)), [["a", "c"], ["b", "d"]]);
  assert.deepEqual(lanesOf([]), []);
});

test("moments are who came and what was strong, newest first", () => {
  const people = new People();
  people.add(record("face.entered", "a", 1000));
  people.add(showing("emotion.ended", "a", 2000, 1, "fear", { end_ms: 3000, peak_ms: 2500 }));
  people.add(showing("emotion.ended", "a", 4000, 2, "neutral", { end_ms: 5000 }));
  people.add(showing("emotion.ended", "a", 6000, 3, "anger", { end_ms: 7000, confidence_peak: 0.4 }));
  assert.deepEqual(people.moments(ALL).map(({ at, emotion }) => [at, emotion]), [[2500, "fear"], [1000, null]]);
  assert.equal(stopsOf(people.within(ALL)).length, 4);
});

test("what was not seen is what no point covers", () => {
  const point = (from, to) => ({ from, to, coverage: 1, people: 0, means: null });
  const span = { from: 0, to: 100 };
  assert.deepEqual(unseen([point(10, 20), point(21, 60)], span, 5), [{ from: 0, to: 10 }, { from: 60, to: 100 }]);
  assert.deepEqual(unseen([], span, 5), [span]);
  assert.deepEqual(unseen([point(0, 100)], span, 0), []);
});

test("a step that is not over counts only what can be summed up", () => {
  const now = 600000 + 200000;
  const [point] = pointsOfTrend([{ start_ms: 600000, coverage: 0.6, people: null }], 5, now);
  assert.deepEqual([point.coverage, point.to], [1, 780000]);
});

test("labels of the axis are at whole times of the range", () => {
  for (const key of ["5min", "1h", "24h", "7d", "30d"]) {
    const { span_ms, tick_ms } = rangeOf(key);
    const found = ticks({ from: 1.7e12, to: 1.7e12 + span_ms }, tick_ms);
    assert.ok(found.length >= 4 && found.length <= 12, `${key}: ${found.length}`);
    assert.ok(found.every((at) => new Date(at).getSeconds() === 0));
  }
});

test("durations are read in a unit that fits", () => {
  assert.deepEqual([4200, 150000, 9e6].map(lasting), ["4 s", "3 min", "2.5 h"]);
});

test("an empty range is called empty only if its records are loaded", () => {
  const span = { from: 1_000_000, to: 1_060_000 };
  const reach = (since, missing) => ({ since, missing });
  assert.equal(whyNothing("Nothing", reach(Infinity, ""), span), "Not loaded yet");
  assert.equal(whyNothing("Nothing", reach(1_000_000, ""), span), "Nothing in this range");
  assert.match(whyNothing("Nothing", reach(1_030_000, "not loaded"), span), /^Nothing since .+; earlier records are not loaded$/);
});
