// The list of cameras. A message of the event stream that arrives while a list is loaded is newer than the list.
import { fetchJson } from "./api.js";

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
