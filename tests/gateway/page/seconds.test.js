import assert from "node:assert/strict";
import { test } from "node:test";

import { Camera } from "../../../gateway/static/cameras.js";
import { WIRE } from "../../../gateway/static/emotions.js";
import { pointsOfSeconds } from "../../../gateway/static/ranges.js";
import { ofTime, peopleOnAverage } from "../../../gateway/static/reading.js";
import { addEvent, fromWire, gapAfter, sharesSince, unseenSeconds } from "../../../gateway/static/seconds.js";

const shares = (name) => Object.fromEntries(WIRE.map((each) => [each, Number(each === name)]));
const face = (emotion, fields = {}) =>
  ({ box: [0, 0, 40, 40], emotion, confidence: 1, probabilities: shares(emotion), ...fields });
const followed = (track, emotion = "fear", label = "happiness") =>
  face(emotion, { track, label, smoothed: shares("happiness") });
const event = (ms, ...faces) => ({ frame_id: `${ms}-0`, faces });
const secondsOf = (...events) => {
  const seconds = [];
  for (const each of events) addEvent(seconds, each);
  return seconds;
};
const people = (seconds) => pointsOfSeconds(seconds).map((point) => point.people);

test("a face that is detected twice is one person, and a false one beside it is none", () => {
  assert.deepEqual(people(secondsOf(event(0, followed("a"), followed("a"), face("anger")))), [1]);
});

test("a person whom single frames missed was in view all the same", () => {
  const [a, b] = [followed("a"), followed("b")];
  assert.deepEqual(people(secondsOf(event(0, a, b), event(200, b), event(400), event(600, a, b))), [2]);
});

test("a person is counted in the frames before and after those in view", () => {
  const a = followed("a");
  assert.deepEqual(people(secondsOf(event(0), event(200, a), event(400, a), event(600))), [0.5]);
});

test("faces count where none is followed, as of a camera of a picture in some seconds", () => {
  assert.deepEqual(people(secondsOf(event(0, face("fear"), face("fear")), event(3000))), [2, 0]);
});

test("seconds that were loaded go on with events", () => {
  const [second] = secondsOf(event(0, followed("a")), event(200, followed("a")));
  const { lastSeen, sums, ...rest } = second;
  const loaded = fromWire({ ...rest, people: second.people / second.events, means: sums.map((sum) => sum / 2) });
  addEvent([loaded], event(400, followed("a")));
  assert.deepEqual([loaded.people, loaded.faces, loaded.counts[WIRE.indexOf("happiness")]], [3, 3, 3]);
  assert.equal(loaded.sums[WIRE.indexOf("happiness")], 3);
});

test("labels are counted instead of each frame's emotion, and what is uncertain is in no share", () => {
  const seconds = secondsOf(
    event(0, followed("a", "anger"), followed("b", "anger", "uncertain")),
    event(1000, followed("a", "fear"), face("sadness"), face("disgust", { box: [0, 0, 9, 9] })),
  );
  const found = sharesSince(seconds, 0);
  assert.deepEqual(WIRE.filter((_, i) => found[i]), ["happiness", "sadness"]);
  assert.equal(found[WIRE.indexOf("happiness")], 2 / 3);
  assert.equal(sharesSince(secondsOf(event(0, followed("a", "fear", "uncertain"))), 0), null);
  assert.equal(pointsOfSeconds(seconds)[0].means[WIRE.indexOf("happiness")], 1);
});

test("a camera whose faces are all uncertain has seen faces", () => {
  const camera = new Camera("door");
  camera.load({ seconds: [], last: "0-0", age_ms: 0 });
  assert.deepEqual([camera.analysed(), camera.sawFaces()], [false, false]);
  camera.add({ ...event(5000), latency: { total_ms: 1 } });
  assert.deepEqual([camera.analysed(), camera.sawFaces()], [true, false]);
  camera.add({ ...event(5100, followed("a", "fear", "uncertain")), latency: { total_ms: 1 } });
  assert.deepEqual([camera.sawFaces(), camera.recentShares()], [true, null]);
});

const every = (ms, count, from = 0) => Array.from({ length: count }, (_, n) => event(from + n * ms));

test("a pause is a gap from several periods of the camera on", () => {
  const spans = (events, fps = 0) => {
    const seconds = secondsOf(...events);
    const end = Number(events.at(-1).frame_id.split("-")[0]);
    return unseenSeconds(seconds, { from: 0, to: end }, gapAfter(seconds, fps));
  };
  assert.deepEqual(spans([...every(100, 50), ...every(100, 50, 6000)]), [{ from: 5000, to: 6000 }]);
  assert.deepEqual(spans([...every(100, 50), ...every(100, 50, 8000)]), [{ from: 5000, to: 8000 }]);
  assert.deepEqual(spans([...every(1000, 9), ...every(1000, 9, 11000)]), []);
  assert.deepEqual(spans([...every(1000, 9), ...every(1000, 9, 15000)]), [{ from: 9000, to: 15000 }]);
  assert.deepEqual(spans(every(3300, 20)), []);
  assert.deepEqual(spans([...every(3300, 9), ...every(3300, 9, 45000)]).length, 1);
});

test("pictures that are not analysed are a gap, and no rate that has fallen hides one", () => {
  const rare = secondsOf(...every(30000, 4));
  assert.equal(gapAfter(rare, 10), 900);
  assert.equal(gapAfter(rare, 0), 90000);
  assert.equal(gapAfter(secondsOf(...every(100, 50)), 0.1), 900);
  assert.equal(gapAfter([], 0), 900);
});

test("points are read out with their people, with and without a probability", () => {
  const point = { from: 0, to: 1000, coverage: 1, people: 2, means: null };
  const range = { key: "5min", name: "", span_ms: 300000, step: 0, tick_ms: 60000 };
  assert.match(ofTime(500, [point], [], range), /: 2 people in view$/);
  assert.match(ofTime(500, [{ ...point, people: 0 }], [], range), /: no one in view$/);
  assert.equal(peopleOnAverage([point, { ...point, people: 1 }]), "1.5 people on average");
});
