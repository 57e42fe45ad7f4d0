// Whether the page is visible, and so whether it keeps its connections. A browser has six for all its
// pages of one gateway, and keeps pages in its cache.

const RELOAD_AFTER_MS = 60000; // after a longer absence the minutes are loaded again instead

export class PageVisibility {
  /** @type {number | null} */
  #leftAt = null;
  /** @type {(how: { reload: boolean }) => void} */
  #onConnect;
  /** @type {() => void} */
  #onDisconnect;

  /**
   * onConnect({ reload }): the page is seen again, and whether it was away for long.
   * @param {{ onConnect: (how: { reload: boolean }) => void, onDisconnect: () => void }} handlers
   */
  constructor({ onConnect, onDisconnect }) {
    this.#onConnect = onConnect;
    this.#onDisconnect = onDisconnect;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#disconnect();
      else this.#resume();
    });
    addEventListener("pagehide", () => this.#disconnect());
    addEventListener("pageshow", ({ persisted }) => { if (persisted) this.#resume(); });
  }

  start() {
    if (!document.hidden) this.#onConnect({ reload: false });
  }

  #disconnect() {
    this.#leftAt ??= Date.now();
    this.#onDisconnect();
  }

  #resume() {
    const reload = this.#leftAt !== null && Date.now() - this.#leftAt > RELOAD_AFTER_MS;
    this.#leftAt = null;
    this.#onConnect({ reload });
  }
}
