// The last minutes of the cameras in view: loaded when they are first seen, and after a gap.
import { fetchJson, pause } from "./api.js";
import { Backoff } from "./backoff.js";
import { cameras } from "./cameras.js";

/** @typedef {import("./cameras.js").Camera} Camera */

export class Histories {
  #loading = false;
  #backoff = new Backoff();

  /**
   * @param {() => Camera[]} inView
   * @param {(camera: Camera) => void} onLoaded
   */
  constructor(inView, onLoaded) {
    this.inView = inView;
    this.onLoaded = onLoaded;
  }

  reload() {
    for (const camera of cameras.values()) Object.assign(camera, { stale: true, minutes: "loading" });
    this.load();
  }

  // One camera after the other: many at once exceed the rate limit.
  async load() {
    if (this.#loading) return;
    this.#loading = true;
    /** @type {Set<Camera>} */
    const failed = new Set(); // they come last: one that keeps failing must not hold up the others
    for (;;) {
      const stale = this.inView().filter((camera) => camera.stale);
      const camera = stale.find((each) => !failed.has(each)) ?? stale[0];
      if (!camera) break;
      camera.stale = false; // before loading: what is missed from here on sets it again
      try {
        camera.load(await fetchJson(`api/cameras/${camera.name}/history`));
        this.#backoff.succeeded();
        this.onLoaded(camera);
      } catch {
        Object.assign(camera, { stale: true, minutes: "failed" });
        failed.add(camera);
        await pause(this.#backoff.failed());
      }
    }
    this.#loading = false;
  }
}
