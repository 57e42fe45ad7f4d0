import assert from "node:assert/strict";
import { test } from "node:test";

import { loadEpisodes } from "../../../gateway/static/loading.js";
import { noteOn } from "../../../gateway/static/moments.js";
import { reachOf } from "../../../gateway/static/reach.js";

const HOUR = 3600000;
const span = { from: 10 * HOUR, to: 34 * HOUR };
const record = (id) => ({ id });

/** Answers of the gateway, one after the other, and what was asked. */
function gateway(...answers) {
  const asked = [];
  return { asked, fetch: async (path) => { asked.push(path); return answers.shift(); } };
}

test("pages of episodes lead back until the range, or what is kept, is loaded", async () => {
  const { asked, fetch } = gateway(
    { episodes: [record("c"), record("d")], previous: `${20 * HOUR}-3`, oldest_ms: 5 * HOUR },
    { episodes: [record("b")], previous: null, oldest_ms: 15 * HOUR },
  );
  const found = [];
  const records = await loadEpisodes("door", span, (page) => found.push(...page.map(({ id }) => id)), fetch);
  assert.deepEqual(found, ["c", "d", "b"]);
  assert.deepEqual(records, { since: span.from, kept: 15 * HOUR });
  assert.match(asked[0], /^api\/cameras\/door\/episodes\?to=\d+&limit=1000&compact=true$/);
  assert.match(asked[1], new RegExp(`\\?before=${20 * HOUR}-3&`));
});

test("pages end where the range begins, and after so many", async () => {
  const page = (hour) => ({ episodes: [], previous: `${hour * HOUR}-0`, oldest_ms: 0 });
  const one = await loadEpisodes("door", span, () => {}, gateway(page(9)).fetch);
  assert.deepEqual(one, { since: span.from, kept: 0 });
  const many = gateway(...[33, 32, 31, 30, 29, 28, 27].map(page));
  assert.deepEqual(await loadEpisodes("door", span, () => {}, many.fetch), { since: 29 * HOUR, kept: 0 });
  assert.equal(many.asked.length, 5);
});

test("earlier records are gone only if someone was in view before those that are kept", () => {
  const records = { since: span.from, kept: 20 * HOUR };
  const point = (hour, people) => ({ from: hour * HOUR, to: (hour + 1) * HOUR, coverage: 1, people, means: null });
  const complete = { since: span.from, missing: "" };
  assert.deepEqual(reachOf(records, [point(12, 0.5)], span.from), { since: 20 * HOUR, missing: "no longer kept" });
  assert.deepEqual(reachOf(records, [point(12, 0), point(13, null), point(20, 2)], span.from), complete);
  assert.deepEqual(reachOf({ ...records, kept: HOUR }, [point(12, 1)], span.from), complete);
  assert.deepEqual(reachOf({ since: 25 * HOUR, kept: 20 * HOUR }, [point(12, 1)], span.from), { since: 25 * HOUR, missing: "not loaded" });
  assert.deepEqual(reachOf({ since: Infinity, kept: -Infinity }, [], span.from), { since: Infinity, missing: "" });
});

test("a list of moments says what it leaves out", () => {
  const complete = { since: span.from, missing: "" };
  const cut = { since: 20 * HOUR, missing: "no longer kept" };
  assert.equal(noteOn(3, complete, span), "");
  assert.equal(noteOn(120, complete, span), "The newest 100 of 120 moments");
  assert.match(noteOn(3, cut, span), /^Moments since .+; earlier records are no longer kept$/);
  assert.match(noteOn(120, cut, span), /^The newest 100 of 120 moments since .+; earlier records/);
  assert.match(noteOn(0, cut, span), /^No one entered .+ since .+; earlier records are no longer kept$/);
});
