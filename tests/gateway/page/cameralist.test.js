import assert from "node:assert/strict";
import test from "node:test";

import { CameraList } from "../../../gateway/static/cameralist.js";

const status = (camera, fps = 1) => ({ camera, fps });

test("what the stream tells while the list is on its way is newer than the list", async () => {
  const listed = Promise.withResolvers();
  const list = new CameraList(() => listed.promise);
  const loading = list.load();
  list.tell("removed", null);
  list.tell("changed", status("changed", 2));
  list.tell("added", status("added"));
  listed.resolve({ pictures: "on", cameras: [status("kept"), status("removed"), status("changed")] });
  const { pictures, cameras } = await loading;
  assert.equal(pictures, "on");
  assert.deepEqual(cameras, [status("kept"), status("changed", 2), status("added")]);
});

test("what it told before is not", async () => {
  const list = new CameraList(async () => ({ cameras: [status("door")] }));
  list.tell("door", null);
  assert.deepEqual((await list.load()).cameras, [status("door")]);
});

test("a list that cannot be loaded leaves nothing behind", async () => {
  const answers = [Promise.reject(new Error("503")), { cameras: [] }];
  const list = new CameraList(async () => answers.shift());
  await assert.rejects(list.load(), /503/);
  list.tell("door", status("door"));
  assert.deepEqual((await list.load()).cameras, []);
});
