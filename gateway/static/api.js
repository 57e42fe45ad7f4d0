// Access to the gateway: JSON, a stream of events, a stream of pictures.

/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").CameraStatus} CameraStatus */
/** @typedef {(camera: string, frameId: string, jpeg: Uint8Array<ArrayBuffer>) => void} OnPart */
/**
 * @typedef {{
 *   onEvent: (event: EmotionEvent) => void,
 *   onEpisode: (record: import("./people.js").EpisodeRecord & { camera: string }) => void,
 *   onStatus: (status: CameraStatus) => void,
 *   onRemoved: (camera: string) => void,
 *   onRedis: (readable: boolean) => void,
 *   onGap: () => void,
 *   onLink: (open: boolean) => void,
 * }} Handlers
 */

/**
 * Absolute, because a page that was opened with a password in its address may not fetch relatively. The
 * page may lie in a folder, behind a proxy.
 * @param {string} path
 */
const url = (path) => new URL(path, new URL(".", location.origin + location.pathname));
/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {string} path
 * @returns {Promise<any>} as docs/gateway.md describes it
 */
export async function fetchJson(path) {
  const answer = await fetch(url(path));
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

export async function signOut() {
  await fetch(url("sign-out"), { method: "POST" });
  location.reload();
}

/**
 * A header of the answer; null without it or without an answer.
 * @param {string} path
 * @param {string} name
 * @returns {Promise<string | null>}
 */
export async function fetchHeader(path, name) {
  const answer = await fetch(url(path), { method: "HEAD" }).catch(() => null);
  return answer?.headers.get(name) ?? null;
}

/**
 * All cameras' events. The browser itself reconnects and resumes after the last event; if it
 * gives up (the gateway refused it), and after close(), a new stream resumes here. onGap reports that
 * earlier events are unknown: at the start, and if events were left out.
 */
export class EventStream {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {string | null} */
  #last = null;
  /** @type {Handlers} */
  #handlers;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  open() {
    if (this.#source) return;
    const { onEvent, onEpisode, onStatus, onRemoved, onRedis, onGap, onLink } = this.#handlers;
    const address = url("api/events/stream?figures=true");
    let resumes = this.#last !== null;
    if (resumes) address.searchParams.set("after", String(this.#last));
    const source = new EventSource(address);
    this.#source = source;
    source.onopen = () => {
      if (!resumes) onGap();
      resumes = true; // as the browser does from here on
      onLink(true);
    };
    source.onerror = () => {
      onLink(false);
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(async () => {
        const refused = await isRefused(address);
        if (this.#source !== source) return;
        if (refused) this.forget();
        this.#source = null;
        this.open();
      }, 2000);
    };
    source.addEventListener("emotion", (message) => {
      this.#last = message.lastEventId;
      onEvent(JSON.parse(message.data));
    });
    source.addEventListener("episode", (message) => {
      this.#last = message.lastEventId;
      onEpisode(JSON.parse(message.data));
    });
    source.addEventListener("dropped", onGap);
    source.addEventListener("camera", (message) => onStatus(JSON.parse(message.data)));
    source.addEventListener("removed", (message) => onRemoved(JSON.parse(message.data).camera));
    source.addEventListener("redis", (message) => onRedis(JSON.parse(message.data).readable));
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  // Continue with the next event; missed ones are skipped.
  forget() {
    this.#last = null;
  }
}

/**
 * Whether the gateway rejects the request itself, for its length, say: EventSource does not report it.
 * @param {URL} address
 */
async function isRefused(address) {
  const ended = new AbortController();
  try {
    const { status } = await fetch(address, { signal: ended.signal });
    return status >= 400 && status < 500 && status !== 429;
  } catch {
    return false;
  } finally {
    ended.abort();
  }
}

// Pictures of the cameras named by watch(), one stream for all of them.
export class PictureStream {
  /** @type {AbortController | null} */
  #abort = null;
  #cameras = "";
  /** @type {OnPart} */
  #onPicture;

  /** @param {OnPart} onPicture */
  constructor(onPicture) {
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
    const address = url("api/pictures/stream");
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
