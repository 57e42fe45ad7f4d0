import assert from "node:assert/strict";
import test from "node:test";

import { CameraList } from "../../../gateway/static/cameralist.js";

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
