// Which tiles are in view, and so whose pictures are asked for.
import { cameraOf } from "./cameras.js";
import { PictureStream } from "./picturestream.js";

/** @typedef {import("./cameras.js").Camera} Camera */

const [GRID_FPS, LARGE_FPS] = [10, 25];
const MAX_WATCHED = 64;
const WATCH_AFTER_MS = 150; // scrolling passes many by

export class InView {
  /** @type {Set<string>} */
  names = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  #pictures = new PictureStream(async (name, frameId, jpeg) => {
    const blob = new Blob([jpeg], { type: "image/jpeg" });
    const bitmap = await createImageBitmap(blob).catch(() => null);
    if (bitmap) cameraOf(name).offer(frameId, bitmap);
  });

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

  changeSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.onChange, WATCH_AFTER_MS);
  }

  /**
   * Ask for pictures of the cameras in view, or of one that is shown large.
   * @param {Camera | null} large
   */
  watch(large) {
    if (large) this.#pictures.watch([large.name], LARGE_FPS);
    else this.#pictures.watch([...this.names].slice(0, MAX_WATCHED), GRID_FPS);
  }

  stop() {
    this.#pictures.watch([], 0);
  }
}
