import assert from "node:assert/strict";
import test, { mock } from "node:test";

import { CameraList, ListLoader } from "../../../gateway/static/cameralist.js";

const status = (camera, fps = 1) => ({ camera, fps });

test("a message that arrives while the list is loaded is newer than the list", async () => {
  const listed = Promise.withResolvers();
  const list = new CameraList(() => listed.promise);
  const loading = list.load();
  list.note("removed", null);
  list.note("changed", status("changed", 2));
  list.note("added", status("added"));
  listed.resolve({ pictures: "on", cameras: [status("kept"), status("removed"), status("changed")] });
  const { pictures, cameras } = await loading;
  assert.equal(pictures, "on");
  assert.deepEqual(cameras, [status("kept"), status("changed", 2), status("added")]);
});

test("a message before that is not", async () => {
  const list = new CameraList(async () => ({ cameras: [status("door")] }));
  list.note("door", null);
  assert.deepEqual((await list.load()).cameras, [status("door")]);
});

test("a list that cannot be loaded leaves nothing behind", async () => {
  const answers = [Promise.reject(new Error("503")), { cameras: [] }];
  const list = new CameraList(async () => answers.shift());
  await assert.rejects(list.load(), /503/);
  list.note("door", status("door"));
  assert.deepEqual((await list.load()).cameras, []);
});

const settled = async () => { for (let turn = 0; turn < 10; turn += 1) await Promise.resolve(); };
const refused = (status) => Object.assign(new Error(String(status)), { status });
const loaderOf = (answers, again = true) => {
  const seen = { asked: 0, failed: [], loaded: [] };
  const list = new CameraList(async () => {
    const answer = answers[seen.asked];
    seen.asked += 1;
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const loader = new ListLoader(list, {
    onLoaded: (answer) => seen.loaded.push(answer),
    onFailed: (status) => { seen.failed.push(status); return again; },
  });
  return { loader, seen };
};

test("a list that cannot be loaded is asked for again, ever more rarely, until it is there", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { loader, seen } = loaderOf([refused(429), new TypeError("no answer"), { cameras: [] }]);
    await loader.load();
    assert.deepEqual([seen.asked, seen.failed], [1, [429]]);
    mock.timers.tick(1000);
    await settled();
    assert.deepEqual([seen.asked, seen.failed], [2, [429, undefined]]);
    mock.timers.tick(1999);
    await settled();
    assert.equal(seen.asked, 2);
    mock.timers.tick(1);
    await settled();
    assert.deepEqual([seen.asked, seen.loaded], [3, [{ cameras: [] }]]);
    mock.timers.tick(600000);
    await settled();
    assert.equal(seen.asked, 3);
  } finally {
    mock.timers.reset();
  }
});

test("a page that is signed out or hidden does not ask again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { loader, seen } = loaderOf([refused(401)], false);
    await loader.load();
    mock.timers.tick(600000);
    await settled();
    assert.equal(seen.asked, 1);
  } finally {
    mock.timers.reset();
  }
});
