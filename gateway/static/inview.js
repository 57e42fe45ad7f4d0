// Which tiles are in view, and so whose pictures are asked for.
import { url } from "./api.js";
import { cameraOf } from "./cameras.js";
import { byId, setHidden } from "./dom.js";

/** @typedef {import("./cameras.js").Camera} Camera */

const [GRID_FPS, LARGE_FPS] = [10, 25];
const MAX_WATCHED = 64; // the gateway takes no more in one stream
const TURN_MS = 4000;
const WIDTH_STEP = 32; // pixels: windows are resized in many steps
const WATCH_AFTER_MS = 150; // scrolling passes many by

/**
 * So many of all names as a stream takes. If there are more, each turn has the next ones.
 * @param {string[]} names
 * @param {number} most
 * @param {number} turn
 */
export function ofTurn(names, most, turn) {
  const from = names.length > most ? (turn * most) % names.length : 0;
  return [...names.slice(from), ...names.slice(0, from)].slice(0, most);
}

export class InView {
  /** @type {Set<string>} */
  names = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  #pictures = new Worker(new URL("pictureworker.js", import.meta.url), { type: "module" });
  #turn = 0;
  #order = { address: url("api/pictures/stream").href, names: /** @type {string[]} */ ([]), fps: 0, width: 0 };

  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const name = /** @type {HTMLElement} */ (target).dataset.camera ?? "";
      if (isIntersecting) this.names.add(name);
      else this.names.delete(name);
    }
    this.changeSoon();
  }, { rootMargin: "100px" });

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.turns = byId("turns");
    setInterval(() => this.#nextTurn(), TURN_MS);
    this.#pictures.onmessage = ({ data: { camera, frameId, bitmap } }) => cameraOf(camera).offer(frameId, bitmap);
  }

  /** @param {import("./tile.js").Tile} tile */
  add(tile) {
    this.#observer.observe(tile.element);
  }

  /** @param {import("./tile.js").Tile} tile */
  remove(tile) {
    this.#observer.unobserve(tile.element);
    this.names.delete(tile.camera.name);
    this.changeSoon(); // a request that names a removed camera is refused as a whole
  }

  #nextTurn() {
    if (this.names.size <= MAX_WATCHED) return;
    this.#turn += 1;
    this.onChange();
  }

  changeSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.onChange, WATCH_AFTER_MS);
  }

  /**
   * Ask for pictures of the cameras in view, or of one that is shown large.
   * @param {Camera | null} large
   */
  watch(large) {
    setHidden(this.turns, this.names.size <= MAX_WATCHED);
    if (large) this.#ask({ names: [large.name], fps: LARGE_FPS, width: 0 });
    else this.#ask({ names: ofTurn([...this.names], MAX_WATCHED, this.#turn), fps: GRID_FPS });
  }

  /**
   * Pictures for tiles need no more pixels than the screen has.
   * @param {number} pixels of the widest
   */
  resize(pixels) {
    this.#ask({ width: Math.ceil(pixels / WIDTH_STEP) * WIDTH_STEP });
  }

  stop() {
    this.#ask({ names: [], fps: 0 });
  }

  /** @param {Partial<import("./pictureworker.js").Order>} change */
  #ask(change) {
    const order = { ...this.#order, ...change };
    if (JSON.stringify(order) === JSON.stringify(this.#order)) return;
    this.#order = order;
    this.#pictures.postMessage(order);
  }
}
