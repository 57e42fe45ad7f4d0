import assert from "node:assert/strict";
import { test } from "node:test";

import { commonCause } from "../../../gateway/static/banner.js";
import { Camera, rate } from "../../../gateway/static/cameras.js";
import { describe, ordered } from "../../../gateway/static/faces.js";
import { later } from "../../../gateway/static/frameids.js";
import { link } from "../../../gateway/static/link.js";
import { takePart } from "../../../gateway/static/picturestream.js";
import { runs } from "../../../gateway/static/plotting.js";
import { neighboursOf, routedName } from "../../../gateway/static/router.js";

const bytes = (text) => new TextEncoder().encode(text);
const decoder = new TextDecoder();

test("ids are ordered by their numbers, not as texts", () => {
  assert.ok(later("10-0", "9-5") > 0);
  assert.ok(later("9-10", "9-9") > 0);
  assert.ok(later("9-1", "10-0") < 0);
  assert.equal(later("7-3", "7-3"), 0);
});

test("a part of a multipart stream is its headers and its bytes", () => {
  const stream = bytes("X-Camera: door\r\nContent-Length: 3\r\n\r\nabc\r\nX-Camera: hall");
  const part = takePart(stream, decoder);
  assert.equal(part.headers["x-camera"], "door");
  assert.equal(decoder.decode(part.body), "abc");
  assert.equal(decoder.decode(stream.subarray(part.end)), "X-Camera: hall");
});

test("a part that is not complete is not taken", () => {
  const stream = bytes("Content-Length: 3\r\n\r\nabc\r\n");
  for (let end = 0; end < stream.length; end += 1) {
    assert.equal(takePart(stream.subarray(0, end), decoder), null);
  }
  assert.equal(takePart(stream, decoder).end, stream.length);
});

test("a part keeps its bytes when the buffer is reused", () => {
  const stream = bytes("Content-Length: 2\r\n\r\nab\r\n");
  const { body } = takePart(stream, decoder);
  stream.fill(0);
  assert.equal(decoder.decode(body), "ab");
});

test("points that follow each other form runs that gaps divide", () => {
  const point = (from) => ({ from, to: from + 1 });
  const found = runs([1, 2, 12, 24, 25].map(point), 10);
  assert.deepEqual(found.map((run) => run.map(({ from }) => from)), [[1, 2, 12], [24, 25]]);
  assert.deepEqual(runs([], 10), []);
});

test("a slow camera has a rate above zero", () => {
  assert.equal(rate(0.333), "0.33 fps");
  assert.equal(rate(9.96), "10.0 fps");
  assert.equal(rate(0), "0.00 fps");
});

test("the address names a camera, and a malformed one names none", () => {
  assert.equal(routedName("#/lobby"), "lobby");
  assert.equal(routedName("#/caf%C3%A9"), "café");
  assert.equal(routedName(""), "");
  assert.equal(routedName("#/%zz"), "");
});

test("the cameras before and after one form a circle", () => {
  assert.deepEqual(neighboursOf("a", ["a", "b", "c"]), { previous: "c", next: "b" });
  assert.deepEqual(neighboursOf("c", ["a", "b", "c"]), { previous: "b", next: "a" });
  assert.deepEqual(neighboursOf("a", ["a"]), { previous: "a", next: "a" });
});

const face = (x, emotion) => ({ box: [x, 0, 20, 20], emotion, confidence: 0.876 });
const event = (id, faces = []) => ({
  frame_id: id, faces, width: 64, height: 48, latency: { total_ms: Number(id.split("-")[1]) },
});
const picture = () => ({ closed: false, close() { this.closed = true; } });

test("faces are listed from left to right", () => {
  const found = event("1-0", [face(30, "fear"), face(10, "anger")]);
  assert.deepEqual(ordered(found).map(({ emotion }) => emotion), ["anger", "fear"]);
  assert.equal(describe("door", found, false), "door: anger 88 %, fear 88 %");
  assert.equal(describe("door", found, true), "door: no current picture");
  assert.equal(describe("door", event("1-0"), false), "door: no face");
  assert.equal(describe("door", null, false), "door: no picture yet");
});

test("a picture waits for its own event, and is shown with no other", () => {
  const camera = new Camera("door");
  const bitmap = picture();
  camera.offer("5-0", bitmap);
  camera.add(event("4-0"));
  assert.equal(camera.shown, null);
  camera.add(event("5-0"));
  assert.deepEqual([camera.shown.bitmap, camera.shown.event.frame_id], [bitmap, "5-0"]);
});

test("an older picture is dropped, and every replaced one is closed", () => {
  const camera = new Camera("door");
  const [first, second, late] = [picture(), picture(), picture()];
  for (const id of ["5-0", "6-0", "7-0"]) camera.add(event(id));
  camera.offer("5-0", first);
  camera.offer("7-0", second);
  camera.offer("6-0", late);
  assert.equal(camera.shown.event.frame_id, "7-0");
  assert.deepEqual([first.closed, second.closed, late.closed], [true, false, true]);
});

test("the median is that of the last events", () => {
  const camera = new Camera("door");
  assert.equal(camera.median(({ latency }) => latency.total_ms), null);
  for (let n = 0; n < 100; n += 1) camera.add(event(`1-${n}`));
  assert.equal(camera.median(({ latency }) => latency.total_ms), 90); // of 80 to 99
});

test("a banner says what running cameras have in common", () => {
  const all = (...words) => words.map((word) => ({ health: () => ({ word, why: "off", stale: true }) }));
  const up = { gateway: true, redis: true };
  assert.equal(commonCause(up, all("Live", "Down")), "");
  assert.equal(commonCause(up, all("Down", "Down", "Ended")), "All 2 cameras are down: off.");
  assert.match(commonCause(up, all("Not analysed")), /^No worker is running: the camera/);
  assert.match(commonCause({ ...up, redis: false }, []), /^No data from Redis/);
});

test("a camera that is down does not hide what the others have in common", () => {
  const up = { gateway: true, redis: true, list: "" };
  const all = (...words) => words.map((word) => ({ health: () => ({ word, why: "off", stale: true }) }));
  const none = Array.from({ length: 11 }, () => "Not analysed");
  assert.equal(commonCause(up, all("Down", ...none)), "No worker is running: 11 of 12 cameras have no one to analyse them.");
  assert.equal(commonCause(up, all("Down", "Not analysed")), "No worker is running: 1 of 2 cameras has no one to analyse it.");
  assert.equal(commonCause(up, all("Down", "Falling behind", "Falling behind")),
    "2 of 3 cameras are falling behind: the workers do not keep up.");
  assert.equal(commonCause(up, all("Not analysed", "Not analysed")), "No worker is running: all 2 cameras have no one to analyse them.");
  assert.equal(commonCause(up, all("Down", "Live", "Not analysed")), "");
  assert.equal(commonCause(up, all("Down", "Live")), "");
  assert.equal(commonCause(up, all("Down")), "");
});

test("a page without its gateway shows that instead of the last state", () => {
  const camera = new Camera("door");
  camera.status = { verdict: "falling behind", reason: "slow", stale: false };
  Object.assign(link, { gateway: true, redis: true });
  assert.deepEqual(camera.health(), { word: "Falling behind", why: "slow", stale: false });
  link.gateway = false;
  assert.equal(camera.health().word, "Unknown");
  link.redis = false;
  assert.equal(camera.health().word, "No data");
});

test("before the event stream has opened nothing is current, and nothing is called away", () => {
  const camera = new Camera("door");
  camera.status = { verdict: "live", reason: "", stale: false };
  Object.assign(link, { gateway: null, redis: true });
  assert.deepEqual(camera.health(), { word: "Live", why: "", stale: true });
  assert.equal(commonCause(link, [camera]), "");
  link.gateway = false;
  assert.match(commonCause(link, [camera]), /^The gateway cannot be reached/);
});

test("a picture is late that is seconds and several periods older than the newest event", () => {
  const camera = new Camera("door");
  camera.status = { fps: 10 };
  camera.add(event("1000-0"));
  camera.offer("1000-0", picture());
  camera.add(event("3000-0"));
  assert.equal(camera.pictureIsLate, false);
  camera.add(event("3001-0"));
  assert.equal(camera.pictureIsLate, true);
  camera.status = { fps: 0.5 };
  assert.equal(camera.pictureIsLate, false);
});
