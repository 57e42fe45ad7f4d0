import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { PictureStream } from "../../../gateway/static/picturestream.js";

const HEARTBEAT = "--picture\r\nContent-Length: 0\r\n\r\n\r\n";
const picture = (id) => `--picture\r\nX-Camera: door\r\nX-Frame-Id: ${id}\r\nContent-Length: 3\r\n\r\nabc\r\n`;

// Passes a stream's pictures on, and its connections to `answer` by number.
async function streamOf(answer, silentAfter_ms, seen) {
  let connections = 0;
  const server = createServer((_, response) => answer(response, connections += 1));
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const stream = new PictureStream(`http://127.0.0.1:${server.address().port}/`, seen, silentAfter_ms);
  stream.watch(["door"], 10);
  return () => { stream.watch([], 0); server.closeAllConnections(); server.close(); };
}

test("a stream that brings nothing any more is followed by another one", async () => {
  const ids = [];
  const { promise, resolve } = Promise.withResolvers();
  const answer = (response, number) => response.write(picture(`${number}-0`)); // and nothing after that
  const stop = await streamOf(answer, 500, (camera, id) => { ids.push(`${camera} ${id}`); if (ids.length === 2) resolve(); });
  await promise;
  stop();
  assert.equal(new Set(ids).size, 2, "of two connections");
});

test("a part that only says that the connection is alive is not a picture", async () => {
  const ids = [];
  const { promise, resolve } = Promise.withResolvers();
  const answer = (response) => response.write(HEARTBEAT + HEARTBEAT + picture("7-0"));
  const stop = await streamOf(answer, 60000, (camera, id) => { ids.push(`${camera} ${id}`); resolve(); });
  await promise;
  stop();
  assert.deepEqual(ids, ["door 7-0"]);
});
