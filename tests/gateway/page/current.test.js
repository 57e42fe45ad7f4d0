// Of a camera whose newest event is old, nothing is shown or said as if it were true now.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Camera } from "../../../gateway/static/cameras.js";
import { factsOf } from "../../../gateway/static/facts.js";
import { link } from "../../../gateway/static/link.js";
import { sayMood } from "../../../gateway/static/speech.js";

const announcer = { textContent: "" };
globalThis.document = { getElementById: () => announcer };

const latency = { total_ms: 90, queue_ms: 1, wait_ms: 2, decode_ms: 3, detect_ms: 4, classify_ms: 5 };
const model = { name: "simpnet", version: "2", detector: "yunet" };
const event = (emotion) => ({
  frame_id: "1000-0", width: 640, height: 480, latency, model,
  faces: [{ box: [0, 0, 40, 40], emotion, track: "a", confidence: 1 }],
});

const cameraOf = (name, emotion, status = {}) => {
  const camera = new Camera(name);
  camera.add(event(emotion));
  camera.status = { verdict: "live", reason: "", stale: false, fps: 10, analysed_fps: 9.4, owner: "w1", backlog: 3, ...status };
  return camera;
};

beforeEach(() => {
  Object.assign(link, { gateway: true, redis: true });
  announcer.textContent = "";
});

test("figures of a live camera are those of its newest event and its status", () => {
  const facts = Object.fromEntries(factsOf(cameraOf("door", "fear")));
  assert.equal(facts["People in view"], "1");
  assert.equal(facts["Analysed, last 10 s"], "9.4 fps of 10.0 fps");
  assert.deepEqual([facts.Worker, facts.Backlog], ["w1", "3"]);
  assert.equal(facts["Newest event"], undefined);
});

test("of a camera that is down no one is in view, no latency is shown, and no rate of nothing", () => {
  const camera = cameraOf("door", "fear", { verdict: "down", stale: true, fps: 0 });
  const facts = Object.fromEntries(factsOf(camera));
  assert.equal(facts["People in view"], "–");
  assert.match(facts["Newest event"], /:/);
  assert.equal(facts["Analysed, last 10 s"], "9.4 fps, and no frames arrive now");
  assert.ok(!Object.keys(facts).some((name) => name.startsWith("Capture to event")));
  camera.status.analysed_fps = 0;
  assert.equal(Object.fromEntries(factsOf(camera))["Analysed, last 10 s"], "no frames arrive");
});

for (const away of [{ gateway: false }, { redis: false }]) {
  test(`without ${Object.keys(away)[0]} the owner, the backlog and the rate are unknown`, () => {
    Object.assign(link, away);
    const facts = Object.fromEntries(factsOf(cameraOf("door", "fear")));
    const names = ["People in view", "Analysed, last 10 s", "Worker", "Backlog"];
    assert.deepEqual(names.map((name) => facts[name]), names.map(() => "–"));
  });
}

test("a mood is said with the camera's title, once, and again for another camera", () => {
  const [door, hall] = [cameraOf("door", "fear", { title: "Front door" }), cameraOf("hall", "fear")];
  sayMood(door, 10000);
  assert.equal(announcer.textContent, "Front door: fear");
  announcer.textContent = "";
  sayMood(door, 20000);
  assert.equal(announcer.textContent, "");
  sayMood(hall, 30000);
  assert.equal(announcer.textContent, "hall: fear");
});

test("a mood of an old event is not said", () => {
  sayMood(cameraOf("garage", "fear", { stale: true }), 40000);
  assert.equal(announcer.textContent, "");
});
