// A picture with the boxes of its own event on it.
import { FaceBoxes } from "./boxes.js";
import { setAttribute, setHidden, toggle } from "./dom.js";
import { describe } from "./faces.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */

export class PictureView {
  #view = document.createElement("div");
  #canvas = document.createElement("canvas");
  #boxes = document.createElement("div");
  #veil = document.createElement("div");
  #off = document.createElement("div");
  #size = { width: 0, height: 0 };
  #ratio = 0;

  /**
   * @param {HTMLElement} element
   * @param {Camera} camera
   * @param {{ choosable?: boolean, withPictures?: boolean }} options
   */
  constructor(element, camera, { choosable = false, withPictures = true } = {}) {
    this.element = element;
    this.camera = camera;
    this.boxes = new FaceBoxes(this.#boxes, camera, { choosable });
    this.withPictures = withPictures;
    this.#canvas.setAttribute("role", "img");
    this.#veil.className = "veil";
    this.#veil.hidden = true;
    this.#off.className = "off";
    this.#off.textContent = withPictures ? "Waiting for a picture" : "Pictures are off";
    this.#view.className = "view";
    this.#boxes.className = "boxes";
    if (!choosable) this.#boxes.setAttribute("aria-hidden", "true"); // the canvas says it
    this.#view.append(this.#canvas, this.#off, this.#boxes);
    element.append(this.#view, this.#veil);
    new ResizeObserver(([{ contentRect }]) => {
      this.#size = { width: contentRect.width, height: contentRect.height };
      this.draw(); // labels are placed by pixels
    }).observe(this.#view);
  }

  // Its width on the screen.
  get pixels() {
    return this.#size.width * (window.devicePixelRatio || 1);
  }

  // Whether what it shows is no longer true.
  get isOld() {
    return this.camera.health().stale || (this.withPictures && this.camera.pictureIsLate);
  }

  // Draw the newest picture and its boxes together; without pictures the newest event's boxes.
  draw() {
    const { shown, newest, status } = this.camera;
    const event = this.withPictures ? shown?.event : newest;
    const [width, height] = event
      ? [event.width, event.height]
      : [status?.width || 4, status?.height || 3];
    if (this.#ratio !== width / height) {
      this.#ratio = width / height;
      this.element.style.setProperty("--ratio", String(this.#ratio));
    }
    if (this.withPictures && shown) {
      setHidden(this.#off, true);
      const { bitmap } = shown;
      if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
        Object.assign(this.#canvas, { width: bitmap.width, height: bitmap.height });
      }
      /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d")).drawImage(bitmap, 0, 0);
    }
    if (event) this.#drawBoxes(event);
    setAttribute(this.#canvas, "aria-label", describe(this.camera.title, event, this.isOld));
    this.#drawDim();
  }

  /** @param {EmotionEvent} event */
  #drawBoxes(event) {
    this.element.dataset.frame = event.frame_id;
    this.boxes.draw(event, this.#size);
  }

  // A camera with old pictures must not look live.
  #drawDim() {
    toggle(this.element, "dim", this.isOld || this.camera.health().word !== "Live");
  }

  drawState() {
    const { word, why, stale } = this.camera.health();
    const live = word === "Live";
    this.#drawDim();
    // Even a few new pictures are shown.
    setHidden(this.#veil, live || !stale);
    toggle(this.#off, "mute", !live);
    if (this.#veil.hidden) return;
    const title = document.createElement("strong");
    title.textContent = word;
    const reason = document.createElement("span");
    reason.textContent = why;
    const age = document.createElement("span");
    age.textContent = since(this.camera.status?.last_frame_ms, this.camera.now());
    this.#veil.replaceChildren(title, reason, age);
  }
}

/**
 * @param {number | null | undefined} ms
 * @param {number} now
 */
function since(ms, now) {
  if (!ms) return "no picture yet";
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 90) return `last picture ${seconds} s ago`;
  if (seconds < 5400) return `last picture ${Math.round(seconds / 60)} min ago`;
  return `last picture ${new Date(ms).toLocaleString()}`;
}
