// When to draw: pictures with the screen, everything else once a second.

const REDRAW_EVERY_MS = 1000;

/**
 * Draws each item at most once per screen refresh.
 * @template T
 */
export class FrameScheduler {
  /** @type {Set<T>} */
  #due = new Set();
  /** @type {(item: T) => void} */
  #draw;

  /** @param {(item: T) => void} draw */
  constructor(draw) {
    this.#draw = draw;
  }

  /** @param {T} item */
  schedule(item) {
    if (!this.#due.size) requestAnimationFrame(() => this.#drawAll());
    this.#due.add(item);
  }

  #drawAll() {
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
