// How the page talks to the gateway: JSON, events as they come, pictures as they come.

// Absolute, because a page that was opened with a password in its address may not fetch relatively.
const url = (path) => new URL(path, location.origin);
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function fetchJson(path) {
  const answer = await fetch(url(path));
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

// All cameras' events. The browser itself reconnects and resumes after the last event; where it
// gives up (the gateway refused it), and after close(), a new stream resumes here. onGap tells that
// what was before is not known: at the start, and where events were left out.
export class EventStream {
  #source = null;
  #last = null;
  #handlers;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  open() {
    if (this.#source) return;
    const { onEvent, onStatus, onRemoved, onRedis, onGap, onLink } = this.#handlers;
    const address = url("/api/events/stream?figures=true");
    let resumes = this.#last !== null;
    if (resumes) address.searchParams.set("after", this.#last);
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
    source.addEventListener("dropped", onGap);
    source.addEventListener("camera", (message) => onStatus(JSON.parse(message.data)));
    source.addEventListener("removed", (message) => onRemoved(JSON.parse(message.data).camera));
    source.addEventListener("redis", (message) => onRedis(JSON.parse(message.data).readable));
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  // Begin with what comes next, whatever was missed.
  forget() {
    this.#last = null;
  }
}

// Whether the gateway finds the request itself wrong, too long say: EventSource does not tell.
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
  #abort = null;
  #cameras = "";
  #onPicture;

  constructor(onPicture) {
    this.#onPicture = onPicture;
  }

  // Watch these cameras instead of those before; none ends the stream.
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

  async #run(names, fps, signal) {
    const address = url("/api/pictures/stream");
    for (const name of names) address.searchParams.append("camera", name);
    address.searchParams.set("fps", fps);
    while (!signal.aborted) {
      try {
        const answer = await fetch(address, { signal });
        if (answer.ok) await readParts(answer.body.getReader(), this.#onPicture);
      } catch {
        // The gateway is away, or the cameras changed; the first is shown by the event stream.
      }
      if (!signal.aborted) await pause(1000);
    }
  }
}

// Split a multipart stream: per part its X-Camera, X-Frame-Id and its bytes.
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
    for (let part; (part = takePart(held, text)); ) {
      onPart(part.headers["x-camera"], part.headers["x-frame-id"], part.body);
      held = held.subarray(part.end);
    }
  }
}

function takePart(bytes, text) {
  const end = endOfHead(bytes);
  if (end < 0) return null;
  const headers = {};
  for (const line of text.decode(bytes.subarray(0, end)).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const stop = end + Number(headers["content-length"]);
  if (bytes.length < stop + 2) return null;
  return { headers, body: bytes.slice(end, stop), end: stop + 2 };
}

function endOfHead(bytes) {
  for (let i = 0; i + 3 < bytes.length && i < 2000; i += 1) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) {
      return i + 4;
    }
  }
  return -1;
}
