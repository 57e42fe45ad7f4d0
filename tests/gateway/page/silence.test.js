import assert from "node:assert/strict";
import { test } from "node:test";

import { Silence } from "../../../gateway/static/silence.js";

test("a stream is silent once nothing was received for longer than the limit", () => {
  const silence = new Silence(0);
  const found = [];
  for (let now = 1000; now <= 8000; now += 1000) {
    if (now === 2000) silence.received(now);
    found.push(silence.isLongerThan(5000, now));
  }
  assert.deepEqual(found, [false, false, false, false, false, false, false, true]);
});

test("a check that comes late, as in a page that was held up, counts no silence", () => {
  const silence = new Silence(0);
  assert.equal(silence.isLongerThan(5000, 1000), false);
  assert.equal(silence.isLongerThan(5000, 61000), false);
  assert.equal(silence.isLongerThan(5000, 63000), false);
  assert.equal(silence.isLongerThan(5000, 65000), false);
  assert.equal(silence.isLongerThan(5000, 67000), true);
});

test("timers that run once a minute never tell of silence", () => {
  const silence = new Silence(0);
  for (let now = 60000; now < 600000; now += 60000) assert.equal(silence.isLongerThan(5000, now), false);
});
