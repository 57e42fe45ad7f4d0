// The stream of several cameras' pictures.
import { pause } from "./api.js";

/** @typedef {(camera: string, frameId: string, jpeg: Uint8Array<ArrayBuffer>) => void} OnPart */

// Pictures of the cameras named by watch(), one stream for all of them.
export class PictureStream {
  /** @type {AbortController | null} */
  #abort = null;
  #cameras = "";
  #address;
  /** @type {OnPart} */
  #onPicture;

  /**
   * @param {string} address
   * @param {OnPart} onPicture
   */
  constructor(address, onPicture) {
    this.#address = address;
    this.#onPicture = onPicture;
  }

  /**
   * Watch these cameras instead of those before; none ends the stream.
   * @param {string[]} names
   * @param {number} fps
   */
  watch(names, fps) {
    const cameras = JSON.stringify([[...names].sort(), fps]);
    if (cameras === this.#cameras) return;
    this.#cameras = cameras;
    this.#abort?.abort();
    this.#abort = null;
    if (names.length) {
      this.#abort = new AbortController();
      this.#run(names, fps, this.#abort.signal);
    }
  }

  /**
   * @param {string[]} names
   * @param {number} fps
   * @param {AbortSignal} signal
   */
  async #run(names, fps, signal) {
    const address = new URL(this.#address);
    for (const name of names) address.searchParams.append("camera", name);
    address.searchParams.set("fps", String(fps));
    while (!signal.aborted) {
      try {
        const answer = await fetch(address, { signal });
        if (answer.ok && answer.body) await readParts(answer.body.getReader(), this.#onPicture);
      } catch {
        // The gateway is unreachable, which the event stream shows, or the cameras changed.
      }
      if (!signal.aborted) await pause(1000);
    }
  }
}

/**
 * Split a multipart stream: per part its X-Camera, X-Frame-Id and its bytes.
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {OnPart} onPart
 */
async function readParts(reader, onPart) {
  const text = new TextDecoder();
  let held = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    for (let part = takePart(held, text); part; part = takePart(held, text)) {
      onPart(part.headers["x-camera"], part.headers["x-frame-id"], part.body);
      held = held.subarray(part.end);
    }
  }
}

/**
 * The first part of a multipart stream, null if it is incomplete. `end` is its length with the line end.
 * @param {Uint8Array} bytes
 * @param {TextDecoder} text
 */
export function takePart(bytes, text) {
  const end = endOfHead(bytes);
  if (end < 0) return null;
  /** @type {Record<string, string>} */
  const headers = {};
  for (const line of text.decode(bytes.subarray(0, end)).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const stop = end + Number(headers["content-length"]);
  if (bytes.length < stop + 2) return null;
  return { headers, body: bytes.slice(end, stop), end: stop + 2 };
}

/** @param {Uint8Array} bytes */
function endOfHead(bytes) {
  for (let i = 0; i + 3 < bytes.length && i < 2000; i += 1) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) {
      return i + 4;
    }
  }
  return -1;
}
