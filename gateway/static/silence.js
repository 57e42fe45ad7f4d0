// Whether a stream has fallen silent.

const LATE_MS = 3000;

/**
 * Notes when something was received, and is asked about once a second whether that is too long ago. A check
 * that comes late proves nothing: the page itself was held up, and what arrived meanwhile is still to be handled.
 */
export class Silence {
  #receivedAt;
  #checkedAt;

  /** @param {number} now milliseconds, as of every other argument */
  constructor(now) {
    this.#receivedAt = now;
    this.#checkedAt = now;
  }

  /** @param {number} now */
  received(now) {
    this.#receivedAt = now;
  }

  /**
   * @param {number} now
   * @param {number} limit_ms
   */
  isLongerThan(limit_ms, now) {
    if (now - this.#checkedAt > LATE_MS) this.#receivedAt = now;
    this.#checkedAt = now;
    return now - this.#receivedAt > limit_ms;
  }
}
