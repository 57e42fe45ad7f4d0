// The stream of several cameras' pictures.
import { pause } from "./api.js";

/** @typedef {(camera: string, frameId: string, jpeg: Uint8Array<ArrayBuffer>) => void} OnPart */

const SILENT_AFTER_MS = 25000; // the gateway sends something every ten seconds

/**
 * Pictures of the cameras named by watch(), one stream for all of them. Another one follows if it ends, or
 * brings nothing: a dead connection causes no error.
 */
export class PictureStream {
  /** @type {AbortController | null} */
  #abort = null;
  #cameras = "";
  #address;
  /** @type {OnPart} */
  #onPicture;

  #silentAfter_ms;

  /**
   * @param {string} address
   * @param {OnPart} onPicture
   * @param {number} silentAfter_ms
   */
  constructor(address, onPicture, silentAfter_ms = SILENT_AFTER_MS) {
    this.#address = address;
    this.#onPicture = onPicture;
    this.#silentAfter_ms = silentAfter_ms;
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
      const silence = new AbortController();
      const alive = restarting(() => silence.abort(), this.#silentAfter_ms);
      try {
        const answer = await fetch(address, { signal: AbortSignal.any([signal, silence.signal]) });
        if (answer.ok && answer.body) await readParts(answer.body.getReader(), this.#onPicture, alive.restart);
      } catch {
        // The gateway is unreachable, which the event stream shows, or the cameras changed.
      } finally {
        alive.stop();
      }
      if (!signal.aborted) await pause(1000);
    }
  }
}

/**
 * A timer that begins again with each restart.
 * @param {() => void} act
 * @param {number} after_ms
 */
function restarting(act, after_ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stop = () => clearTimeout(timer);
  const restart = () => {
    stop();
    timer = setTimeout(act, after_ms);
  };
  restart();
  return { restart, stop };
}

/**
 * Split a multipart stream: per part with a picture its X-Camera, X-Frame-Id and its bytes.
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {OnPart} onPart
 * @param {() => void} onBytes
 */
async function readParts(reader, onPart, onBytes) {
  const text = new TextDecoder();
  let held = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onBytes();
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    for (let part = takePart(held, text); part; part = takePart(held, text)) {
      if (part.body.length) onPart(part.headers["x-camera"], part.headers["x-frame-id"], part.body);
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
