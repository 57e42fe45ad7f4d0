// The stream of all cameras' events, episodes and states.
import { url } from "./api.js";

/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").CameraStatus} CameraStatus */
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
