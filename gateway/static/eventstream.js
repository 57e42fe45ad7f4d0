// The stream of all cameras' events, episodes and states.
import { url } from "./api.js";
import { Silence } from "./silence.js";

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

// The gateway sends something every two seconds at least.
const SILENT_AFTER_MS = 5000;
const OPENS_WITHIN_MS = 15000; // a slow network; until then nothing is shown as current
const CHECK_EVERY_MS = 1000;

/**
 * All cameras' events. The browser itself reconnects and resumes after the last event. A new stream
 * resumes here after close(), if the browser gives up (the gateway refused it), and if the stream is
 * silent: a dead connection or a gateway that hangs causes no error. onGap reports that earlier
 * events are unknown: at the start, and if events were left out.
 */
export class EventStream {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {string | null} */
  #last = null;
  /** @type {Handlers} */
  #handlers;
  #silence = new Silence(0);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  open() {
    if (this.#source) return;
    const { onGap, onLink } = this.#handlers;
    const address = url("api/events/stream?figures=true");
    let resumes = this.#last !== null;
    if (resumes) address.searchParams.set("after", String(this.#last));
    const source = new EventSource(address);
    this.#source = source;
    this.#watch(source);
    // Later than its opening: what happens before it does not come by the stream.
    this.#on(source, "started", () => {
      if (!resumes) onGap();
      resumes = true; // as the browser does from here on
      onLink(true);
    });
    source.onerror = () => {
      onLink(false);
      if (source.readyState === EventSource.CLOSED) this.#reopenSoon(source, address);
    };
    this.#listen(source);
  }

  /** @param {EventSource} source */
  #listen(source) {
    const { onEvent, onEpisode, onStatus, onRemoved, onRedis, onGap } = this.#handlers;
    this.#on(source, "emotion", onEvent);
    this.#on(source, "episode", onEpisode);
    this.#on(source, "dropped", onGap);
    this.#on(source, "camera", onStatus);
    this.#on(source, "removed", ({ camera }) => onRemoved(camera));
    this.#on(source, "redis", ({ readable }) => onRedis(readable));
    this.#on(source, "heartbeat", () => {});
  }

  /**
   * @param {EventSource} source
   * @param {string} name of messages
   * @param {(data: any) => void} handle
   */
  #on(source, name, handle) {
    source.addEventListener(name, (message) => {
      this.#silence.received(performance.now());
      this.#last = message.lastEventId || this.#last;
      handle(JSON.parse(message.data));
    });
  }

  /**
   * Another stream instead of one that is silent.
   * @param {EventSource} source
   */
  #watch(source) {
    clearInterval(this.#timer);
    this.#silence = new Silence(performance.now());
    this.#timer = setInterval(() => {
      const limit_ms = source.readyState === EventSource.OPEN ? SILENT_AFTER_MS : OPENS_WITHIN_MS;
      if (!this.#silence.isLongerThan(limit_ms, performance.now())) return;
      this.#handlers.onLink(false);
      this.close();
      this.open();
    }, CHECK_EVERY_MS);
  }

  /**
   * @param {EventSource} source that was closed by the browser
   * @param {URL} address
   */
  #reopenSoon(source, address) {
    clearInterval(this.#timer);
    setTimeout(async () => {
      const refused = await isRefused(address);
      if (this.#source !== source) return;
      if (refused) this.forget();
      this.#source = null;
      this.open();
    }, 2000);
  }

  close() {
    clearInterval(this.#timer);
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
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(OPENS_WITHIN_MS)]);
    const { status } = await fetch(address, { signal });
    return status >= 400 && status < 500 && status !== 429;
  } catch {
    return false;
  } finally {
    ended.abort();
  }
}
