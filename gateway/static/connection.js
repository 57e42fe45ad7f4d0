// Whether the page can be seen, and so whether it keeps connections. A browser has six for all its
// pages of one gateway, and it keeps pages that were left.

const RELOAD_AFTER_MS = 60000; // after a longer absence the minutes are loaded again instead

export class PageVisibility {
  #leftAt = null;
  #onConnect;
  #onDisconnect;

  // onConnect({ reload }): the page is seen again, and whether it was away for long.
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
