// Whether a stream has fallen silent.

const LATE_MS = 3000;

/**
 * Notes when something was heard, and is asked about once a second whether that is too long ago. A check
 * that comes late proves nothing: the page itself stood still, and what arrived meanwhile is still to be handled.
 */
export class Silence {
  #heardAt;
  #checkedAt;

  /** @param {number} now milliseconds, as of every other argument */
  constructor(now) {
    this.#heardAt = now;
    this.#checkedAt = now;
  }

  /** @param {number} now */
  heard(now) {
    this.#heardAt = now;
  }

  /**
   * @param {number} now
   * @param {number} limit_ms
   */
  isLongerThan(limit_ms, now) {
    if (now - this.#checkedAt > LATE_MS) this.#heardAt = now;
    this.#checkedAt = now;
    return now - this.#heardAt > limit_ms;
  }
}
