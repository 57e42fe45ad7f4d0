import assert from "node:assert/strict";
import { test } from "node:test";

import { overlap, placeLabels } from "../../../gateway/static/placement.js";

const SIZES = [{ width: 120, height: 24 }, { width: 40, height: 24 }, { width: 22, height: 22 }];
const BOUNDS = { width: 640, height: 480 };
const box = (x, y, width = 80, height = 100) => ({ x, y, width, height });
const placed = (boxes, bounds = BOUNDS, before = []) => placeLabels(boxes, boxes.map(() => SIZES), bounds, before);

test("a label is above its box if there is room", () => {
  const [place] = placed([box(200, 200)]);
  assert.deepEqual([place.level, place.x, place.y], [0, 200, 171]);
});

test("at the upper edge it is below, and at the right one it ends with its box", () => {
  const [upper, right] = placed([box(200, 2), box(555, 200)]);
  assert.ok(upper.y > 102);
  assert.equal(right.x + SIZES[0].width, 635);
});

test("a face that fills the height has its label beside it", () => {
  const [place] = placed([box(200, 0, 80, 480)]);
  assert.ok(place.x + SIZES[0].width < 200 || place.x > 280);
});

test("without room for words the number remains, then the icon, then nothing", () => {
  const level = (width) => placed([box(4, 30, 40, 60)], { width, height: 95 })[0]?.level;
  assert.deepEqual([200, 60, 41].map(level), [0, 1, 2]);
  assert.equal(placed([box(0, 0, 40, 60)], { width: 45, height: 60 })[0], null);
});

test("small boxes have small labels, and the smallest none", () => {
  const levels = [40, 25, 15, 8].map((side) => placed([box(200, 200, side, side)])[0]?.level);
  assert.deepEqual(levels, [0, 1, 2, undefined]);
});

test("a label stays on its side while it fits there", () => {
  const [first] = placed([box(200, 200)], BOUNDS, [3]);
  assert.equal(first.side, 3);
  const [second] = placed([box(200, 400, 80, 80)], BOUNDS, [3]);
  assert.equal(second.side, 0);
});

test("no label covers a face or another label, or leaves the picture", () => {
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round += 1) {
    const boxes = Array.from({ length: 1 + Math.floor(45 * random()) }, () =>
      box(640 * random() - 20, 480 * random() - 20, 10 + 90 * random(), 10 + 110 * random()));
    const places = placed(boxes);
    const labels = places.flatMap((place) => (place ? [{ x: place.x, y: place.y, ...SIZES[place.level] }] : []));
    labels.forEach((label, i) => {
      assert.ok(label.x >= 0 && label.y >= 0 && label.x + label.width <= 640 && label.y + label.height <= 480);
      assert.ok(!boxes.some((each) => overlap(label, each)));
      assert.ok(!labels.some((other, j) => i !== j && overlap(label, other)));
    });
  }
});
