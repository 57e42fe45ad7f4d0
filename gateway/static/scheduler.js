// When to draw: pictures with the screen, everything else once a second.

const REDRAW_EVERY_MS = 1000;

/**
 * Draws each item at most once per screen refresh, and all that are due together. With many items the
 * browser's work per refresh costs more than the drawing itself, so refreshes can be spaced out.
 * @template T
 */
export class FrameScheduler {
  /** @type {Set<T>} */
  #due = new Set();
  #drawnAt = -Infinity;
  /** @type {(item: T) => void} */
  #draw;
  /** @type {() => number} */
  #every_ms;

  /**
   * @param {(item: T) => void} draw
   * @param {() => number} every_ms the shortest time between two refreshes that draw
   */
  constructor(draw, every_ms) {
    this.#draw = draw;
    this.#every_ms = every_ms;
  }

  /** @param {T} item */
  schedule(item) {
    if (!this.#due.size) {
      const wait = this.#drawnAt + this.#every_ms() - performance.now();
      if (wait > 0) setTimeout(() => requestAnimationFrame(() => this.#drawAll()), wait);
      else requestAnimationFrame(() => this.#drawAll());
    }
    this.#due.add(item);
  }

  #drawAll() {
    this.#drawnAt = performance.now();
    const items = [...this.#due];
    this.#due.clear(); // before drawing: one failure must not stop all later drawing
    for (const item of items) this.#draw(item);
  }
}

/**
 * Calls back once a second while the page can be seen.
 * @param {() => void} callback
 */
export function eachSecond(callback) {
  setInterval(() => { if (!document.hidden) callback(); }, REDRAW_EVERY_MS);
}
