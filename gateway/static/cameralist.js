// The list of cameras. A message of the event stream that arrives while a list is loaded is newer than the list.
import { fetchJson } from "./api.js";
import { Backoff } from "./backoff.js";

/** @typedef {import("./cameras.js").CameraStatus} CameraStatus */
/** @typedef {{ signed_in: boolean, now_ms: number, pictures: string, cameras: CameraStatus[] }} Answer */

export class CameraList {
  /** @type {Set<Map<string, CameraStatus | null>>} */
  #loads = new Set();
  #fetch;

  constructor(fetch = fetchJson) {
    this.#fetch = fetch;
  }

  /**
   * Note a message of the stream.
   * @param {string} name
   * @param {CameraStatus | null} status null if it was removed
   */
  note(name, status) {
    for (const news of this.#loads) news.set(name, status);
  }

  /**
   * The answer with its cameras as they are now. Throws what fetchJson does.
   * @returns {Promise<Answer>}
   */
  async load() {
    /** @type {Map<string, CameraStatus | null>} */
    const news = new Map();
    this.#loads.add(news);
    try {
      /** @type {Answer} */
      const answer = await this.#fetch("api/cameras");
      const all = new Map([...answer.cameras.map((status) => /** @type {const} */ ([status.camera, status])), ...news]);
      return { ...answer, cameras: [...all.values()].filter((status) => status !== null) };
    } finally {
      this.#loads.delete(news);
    }
  }
}

/** Loads the list, and after a failure tries again. */
export class ListLoader {
  #backoff = new Backoff();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * onFailed gets the status of the response, undefined without one. Returns whether to try again.
   * @param {CameraList} list
   * @param {{ onLoaded: (answer: Answer) => void, onFailed: (status?: number) => boolean }} handlers
   */
  constructor(list, { onLoaded, onFailed }) {
    this.list = list;
    this.onLoaded = onLoaded;
    this.onFailed = onFailed;
  }

  async load() {
    this.stop();
    let answer;
    try {
      answer = await this.list.load();
    } catch (error) {
      const again = this.onFailed(/** @type {{ status?: number }} */ (error).status);
      this.stop(); // another load may have failed meanwhile
      if (again) this.#timer = setTimeout(() => this.load(), this.#backoff.failed());
      return;
    }
    this.stop();
    this.#backoff.succeeded();
    this.onLoaded(answer);
  }

  // Do not try again until the next load.
  stop() {
    clearTimeout(this.#timer);
  }
}
