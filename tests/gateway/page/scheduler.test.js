import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameScheduler } from "../../../gateway/static/scheduler.js";

globalThis.requestAnimationFrame = (callback) => setTimeout(callback, 1); // the browser's, which Node.js lacks
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("what is due is drawn once, together with all else that is due", async () => {
  const drawn = [];
  const frames = new FrameScheduler((item) => drawn.push(item), () => 0);
  for (const item of ["a", "b", "a"]) frames.schedule(item);
  assert.deepEqual(drawn, []);
  await sleep(30);
  assert.deepEqual(drawn, ["a", "b"]);
});

test("between two refreshes passes the time that is asked for, and nothing is forgotten", async () => {
  const times = [];
  const frames = new FrameScheduler(() => times.push(performance.now()), () => 80);
  for (let i = 0; i < 40; i += 1) {
    frames.schedule("a");
    await sleep(5);
  }
  await sleep(150);
  assert.ok(times.length >= 2);
  times.slice(1).forEach((time, i) => assert.ok(time - times[i] >= 79, `${time - times[i]} ms`));
});
