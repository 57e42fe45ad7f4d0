import assert from "node:assert/strict";
import { test } from "node:test";

import { WIRE } from "../../../gateway/static/emotions.js";
import { ofTurn } from "../../../gateway/static/inview.js";
import { sorted } from "../../../gateway/static/overview.js";
import { inWords, lastHour, meanPeople } from "../../../gateway/static/sparkline.js";
import { sharesOf, sumOf } from "../../../gateway/static/today.js";
import { dayOf, loadTrends } from "../../../gateway/static/overviewdata.js";
import { byAttention, matches } from "../../../gateway/static/wall.js";

test("today is the sum of its hours, without those that are withheld", () => {
  const hour = (entered, ms) => ({ people: { entered, emotion_ms: WIRE.map((name) => (name === "fear" ? ms : 0)) } });
  const sum = sumOf([hour(1, 3000), { people: null }, hour(2, 1000)]);
  assert.equal(sum.entered, 3);
  assert.equal(sum.emotion_ms[WIRE.indexOf("fear")], 4000);
  assert.equal(sharesOf(sum.emotion_ms).reduce((all, share) => all + share), 1);
  assert.equal(sharesOf(WIRE.map(() => 0)), null);
});

test("a table is sorted by any column, and what is unknown is last", () => {
  const row = (title, people, entered) => ({ name: title, title, state: "Live", people, entered, hour: null, shares: null });
  const rows = [row("b", 1, null), row("a", 3, 5), row("c", 2, 9)];
  const names = (column, descending) => sorted(rows, column, descending).map(({ name }) => name).join("");
  assert.deepEqual([names(0, false), names(2, true), names(3, false), names(3, true)], ["abc", "acb", "acb", "cab"]);
});

const camera = (name, word, fields = {}) => ({ name, title: fields.title ?? name, status: fields, health: () => ({ word }) });

test("cameras that need attention come first, then their titles decide", () => {
  const all = [camera("b", "Live"), camera("a", "Live"), camera("d", "Down"), camera("c", "Ended")];
  assert.deepEqual(all.sort(byAttention).map(({ name }) => name), ["d", "a", "b", "c"]);
});

test("the wall and the overview have one order: by title, and 2 before 10", () => {
  const titles = { x: "a10", y: "a2", z: "A1" };
  const all = Object.entries(titles).map(([name, title]) => camera(name, "Live", { title }));
  assert.deepEqual(all.sort(byAttention).map(({ title }) => title), ["A1", "a2", "a10"]);
  const rows = Object.entries(titles).map(([name, title]) => ({ name, title, state: "Live", people: 1, entered: null, hour: null, shares: null }));
  for (const column of [0, 1, 2, 3]) {
    assert.deepEqual(sorted(rows, column, column === 2).map(({ title }) => title), ["A1", "a2", "a10"]);
  }
});

test("of more cameras than a stream takes, each has its turn", () => {
  const names = Array.from({ length: 150 }, (_, i) => `cam${i}`);
  const turns = [0, 1, 2].map((turn) => ofTurn(names, 64, turn));
  assert.deepEqual(turns.map(({ length }) => length), [64, 64, 64]);
  assert.equal(new Set(turns.flat()).size, 150);
  assert.deepEqual(ofTurn(names.slice(0, 64), 64, 7), names.slice(0, 64));
});

test("a search finds names, titles and groups by all of its words", () => {
  const found = camera("cam1", "Live", { title: "Küche", group: "Erdgeschoss" });
  const by = (text, state = "", group = "") => matches(found, { text, state, group });
  assert.deepEqual([by(""), by("küche erd"), by("CAM"), by("keller")], [true, true, true, false]);
  assert.deepEqual([by("", "Down"), by("", "Live", "Erdgeschoss"), by("", "", "Keller")], [false, true, false]);
});

test("an hour in words weighs its steps by what was seen", () => {
  const point = (coverage, people_mean, name) =>
    ({ start_ms: 0, coverage, people: { people_mean, means: WIRE.map((each) => Number(each === name)) } });
  assert.equal(meanPeople([point(1, 2, "fear"), point(0.5, 0.5, "anger")]), 1.5);
  assert.equal(inWords([point(1, 3, "fear"), point(1, 1, "anger")]), "Last hour: 2 people on average, mostly fear 75 %");
  assert.equal(inWords([{ start_ms: 0, coverage: 1, people: null }]), "Last hour: nothing known");
  const { from, to } = lastHour(61 * 60000);
  assert.deepEqual([from, to], [0, 65 * 60000]);
});

/** What `run` returns while the local time is that of a zone. */
async function inZone(zone, run) {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    return await run();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

test("no step of today begins on the day before, in any zone", async () => {
  const noon = Date.UTC(2026, 5, 15, 6, 30);
  for (const [zone, step] of [["UTC", 60], ["Europe/Berlin", 60], ["Asia/Kolkata", 30], ["Asia/Kathmandu", 15]]) {
    const day = await inZone(zone, () => dayOf(noon));
    const first = Math.floor(day.from / (step * 60000)) * step * 60000;
    assert.deepEqual([day.step, day.to, first - day.from], [step, noon, 0], zone);
    assert.ok((day.to - day.from) / (step * 60000) <= 100);
  }
  const { from, to } = await inZone("UTC", () => dayOf(Date.UTC(2026, 5, 15)));
  assert.ok(to > from, "a day that has just begun");
});

test("a camera with a clock of its own is asked for by it, and others are all asked for at once", async () => {
  const ahead = (name, ms) => ({ name, now: () => Date.now() + ms });
  const asked = [];
  const fetch = async (path) => {
    asked.push(path.replaceAll(/\d{6,}/g, "n"));
    if (path.startsWith("api/trends")) return { cameras: { a: ["a"], b: ["wrong"], c: ["wrong"] } };
    if (path.includes("/c/")) throw new Error("502");
    return { points: ["b"] };
  };
  const steps = (now) => ({ from: now - 3600000, to: now, step: 5 });
  const trends = await loadTrends([ahead("a", 50), ahead("b", 7200000), ahead("c", -7200000)], steps, fetch);
  assert.deepEqual([...trends].map(([name, { points }]) => [name, ...points]), [["a", "a"], ["b", "b"]]);
  assert.deepEqual(asked, ["api/trends?from=n&to=n&step=5", "api/cameras/b/trend?from=n&to=n&step=5", "api/cameras/c/trend?from=n&to=n&step=5"]);
  const apart = (trends.get("b")?.steps.to ?? 0) - (trends.get("a")?.steps.to ?? 0);
  assert.ok(Math.abs(apart - 7200000) < 60000);
});
