// When to try again what has failed: after a second, then twice as long each time, up to half a minute.

const FIRST_MS = 1000;
const LONGEST_MS = 30000;

export class Backoff {
  #wait_ms = FIRST_MS;
  #dueAt = -Infinity;

  /**
   * Note a failure. Returns how long to wait.
   * @param {number} now milliseconds
   */
  failed(now = performance.now()) {
    const wait_ms = this.#wait_ms;
    this.#dueAt = now + wait_ms;
    this.#wait_ms = Math.min(2 * wait_ms, LONGEST_MS);
    return wait_ms;
  }

  succeeded() {
    this.#wait_ms = FIRST_MS;
    this.#dueAt = -Infinity;
  }

  /** @param {number} now milliseconds */
  isDue(now = performance.now()) {
    return now >= this.#dueAt;
  }
}
