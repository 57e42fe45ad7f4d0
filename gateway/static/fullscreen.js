// The wall in full screen: pages that take turns, or that keys and buttons step through.
import { byId, find } from "./dom.js";
import { pageOf, shapeOf } from "./paging.js";

/** @typedef {import("./cameras.js").Camera} Camera */

const CALM = ["Live", "Ended"]; // any other state needs attention

export class FullScreen {
  active = false;
  #page = 0;
  #rotates = false;
  #portrait = matchMedia("(orientation: portrait)");
  #reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} onChange what is to be seen is another page, or all of it again */
  constructor(onChange) {
    this.onChange = onChange;
    this.list = byId("cameras");
    this.bar = byId("wall-bar");
    this.place = find(this.bar, ".place");
    this.pause = find(this.bar, ".pause");
    this.seconds = /** @type {HTMLSelectElement} */ (find(this.bar, "select"));
    byId("full-screen").addEventListener("click", () => this.enter());
    find(this.bar, ".page-before").addEventListener("click", () => this.step(-1));
    find(this.bar, ".page-after").addEventListener("click", () => this.step(1));
    find(this.bar, ".leave").addEventListener("click", () => this.leave());
    this.pause.addEventListener("click", () => this.#rotate(!this.#rotates));
    this.seconds.addEventListener("change", () => this.#rotate(true));
    document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) this.leave(); });
    addEventListener("keydown", (press) => this.#onKey(press));
    this.#portrait.addEventListener("change", () => { if (this.active) onChange(); });
  }

  // A browser without full screen, or that refuses it, shows the pages in its window.
  enter() {
    document.documentElement.requestFullscreen?.().catch(() => {});
    this.#page = 0;
    this.#show(true);
    this.#rotate(!this.#reducedMotion.matches);
    this.pause.focus();
  }

  leave() {
    if (!this.active) return;
    clearTimeout(this.#timer);
    this.#show(false);
    if (document.fullscreenElement) document.exitFullscreen();
    byId("full-screen").focus();
  }

  /** @param {boolean} active */
  #show(active) {
    this.active = active;
    document.body.classList.toggle("walled", active);
    this.bar.hidden = !active;
    this.onChange();
  }

  /** @param {number} by */
  step(by) {
    this.#page += by;
    this.onChange();
    this.#rotate(this.#rotates); // a whole turn from here on
  }

  /** @param {boolean} rotates */
  #rotate(rotates) {
    this.#rotates = rotates;
    this.pause.textContent = rotates ? "Pause" : "Rotate";
    clearTimeout(this.#timer);
    if (!rotates || !this.active) return;
    this.#timer = setTimeout(() => {
      // What has the focus is not taken away.
      const isRead = document.hidden || this.list.contains(document.activeElement);
      if (isRead) this.#rotate(true);
      else this.step(1);
    }, 1000 * Number(this.seconds.value));
  }

  /** @param {KeyboardEvent} press */
  #onKey(press) {
    if (!this.active || press.altKey || press.ctrlKey || press.metaKey) return;
    const target = /** @type {HTMLElement} */ (press.target);
    if (press.key === "Escape") this.leave();
    else if (target.closest("select") || this.list.contains(target)) return;
    else if (press.key === "ArrowLeft" || press.key === "PageUp") this.step(-1);
    else if (press.key === "ArrowRight" || press.key === "PageDown") this.step(1);
    else if (press.key === " " && !target.closest("button")) this.#rotate(!this.#rotates);
    else return;
    press.preventDefault();
  }

  /**
   * The cameras of the page, out of those that match.
   * @param {Camera[]} all in order
   */
  pageOf(all) {
    const size = Number(this.list.dataset.density);
    const { shown, number, pages } = pageOf(all, (camera) => !CALM.includes(camera.health().word), size, this.#page);
    this.#page = number;
    const { columns, rows } = shapeOf(Math.min(size, all.length), this.#portrait.matches);
    this.list.style.setProperty("--columns", String(columns));
    this.list.style.setProperty("--rows", String(rows));
    this.place.textContent = `Page ${number + 1} of ${pages}`;
    return shown;
  }
}
