import assert from "node:assert/strict";
import { test } from "node:test";

import { labelsOf } from "../../../gateway/static/axis.js";
import { pageOf, shapeOf } from "../../../gateway/static/paging.js";
import { RANGES } from "../../../gateway/static/ranges.js";

const measure = (text) => 8 * text.length;

test("labels of an axis never touch and never leave it, at any width", () => {
  const now = Date.UTC(2026, 0, 31, 11, 59, 30);
  for (const { span_ms, tick_ms } of RANGES) {
    for (let width = 120; width < 1400; width += 17) {
      const labels = labelsOf({ from: now - span_ms, to: now }, tick_ms, width, measure);
      const sides = labels.map(({ middle, text }) => [middle - measure(text) / 2, middle + measure(text) / 2]);
      sides.forEach(([left, right], i) => {
        assert.ok(left >= 0 && right <= width);
        assert.ok(i === 0 || left >= sides[i - 1][1] + 8, "there is room between two");
      });
      if (width > 300) assert.ok(labels.length >= 2, `${width} pixels have ${labels.length} labels`);
    }
  }
});

test("a phone's axis has two labels in any second in which it is drawn", () => {
  for (const { span_ms, tick_ms } of RANGES) {
    for (let i = 0; i < 120; i += 1) {
      const now = Date.UTC(2026, 0, 31, 11, 59, 30) + (i / 120) * 2 * tick_ms;
      const labels = labelsOf({ from: now - span_ms, to: now }, tick_ms, 289, measure);
      assert.ok(labels.length >= 2, `${new Date(now).toISOString()} has ${labels.length} labels`);
    }
  }
});

test("labels are at equal distances", () => {
  const labels = labelsOf({ from: 0, to: 300000 }, 60000, 200, measure);
  const steps = labels.slice(1).map(({ at }, i) => at - labels[i].at);
  assert.equal(new Set(steps).size, 1);
});

test("cameras that need attention stay on every page, the others take turns", () => {
  const all = ["down", "behind", ..."abcdefg"];
  const page = (number) => pageOf(all, (name) => name.length > 1, 5, number);
  assert.deepEqual(page(0), { shown: ["down", "behind", "a", "b", "c"], number: 0, pages: 3 });
  assert.deepEqual(page(2).shown, ["down", "behind", "g"]);
  assert.deepEqual(page(-1), page(2));
  assert.deepEqual(page(3), page(0));
});

test("they take half of a page at most, and no camera is left out", () => {
  const all = Array.from({ length: 11 }, (_, i) => i);
  const first = pageOf(all, () => true, 4, 0);
  const seen = new Set(Array.from({ length: first.pages }, (_, page) => pageOf(all, () => true, 4, page).shown).flat());
  assert.deepEqual(first.shown, [0, 1, 2, 3]);
  assert.equal(seen.size, all.length);
});

test("cells fill the screen in both directions", () => {
  for (const cells of [1, 2, 6, 12, 20, 40]) {
    const { columns, rows } = shapeOf(cells, false);
    assert.ok(columns * rows >= cells && columns >= rows);
    assert.deepEqual(shapeOf(cells, true), { columns: rows, rows: columns });
  }
});
