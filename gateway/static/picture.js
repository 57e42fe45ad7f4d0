// A picture with the boxes of its own event on it.
import { face, percent } from "./emotions.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").Face} Face */

/**
 * Faces from left to right: their order in events is arbitrary, and numbers should stay.
 * @param {EmotionEvent} event
 */
export const ordered = (event) => [...event.faces].sort((a, b) => a.box[0] - b.box[0]);

/**
 * The steady label if the face's track has one, else the emotion in this frame alone.
 * @param {Face} found
 */
const shownBy = (found) => found.label ?? found.emotion;

/** @param {Face} found */
function inWords(found) {
  if (found.label === "uncertain") return found.label;
  const share = found.label ? found.smoothed?.[found.label] : found.confidence;
  return share === undefined ? shownBy(found) : `${shownBy(found)} ${percent(share)}`;
}

export class PictureView {
  #canvas = document.createElement("canvas");
  #boxes = document.createElement("div");
  #veil = document.createElement("div");
  #off = document.createElement("div");

  /**
   * @param {HTMLElement} element
   * @param {Camera} camera
   * @param {{ numbered?: boolean, withPictures?: boolean }} options
   */
  constructor(element, camera, { numbered = false, withPictures = true } = {}) {
    this.element = element;
    this.camera = camera;
    this.numbered = numbered;
    this.withPictures = withPictures;
    this.#canvas.setAttribute("role", "img");
    this.#veil.className = "veil";
    this.#veil.hidden = true;
    this.#off.className = "off";
    this.#off.textContent = withPictures ? "Waiting for a picture" : "Pictures are off";
    element.append(this.#canvas, this.#off, this.#boxes, this.#veil);
  }

  // Draw the newest picture and its boxes together; without pictures the newest event's boxes.
  draw() {
    const { shown, newest, status } = this.camera;
    const event = this.withPictures ? shown?.event : newest;
    const [width, height] = event
      ? [event.width, event.height]
      : [status?.width || 4, status?.height || 3];
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.setProperty("--ratio", String(width / height));
    if (this.withPictures && shown) {
      this.#off.hidden = true;
      const { bitmap } = shown;
      if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
        Object.assign(this.#canvas, { width: bitmap.width, height: bitmap.height });
      }
      /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d")).drawImage(bitmap, 0, 0);
    }
    if (event) this.#drawBoxes(event);
    this.#canvas.setAttribute("aria-label", describe(this.camera.name, event, this.camera.health().stale));
  }

  /** @param {EmotionEvent} event */
  #drawBoxes(event) {
    this.element.dataset.frame = event.frame_id;
    const boxes = ordered(event).map((found, index) => {
      const [x, y, width, height] = found.box;
      const box = document.createElement("div");
      box.className = "box";
      box.dataset.emotion = shownBy(found);
      box.style.left = `${(100 * x) / event.width}%`;
      box.style.top = `${(100 * y) / event.height}%`;
      box.style.width = `${(100 * width) / event.width}%`;
      box.style.height = `${(100 * height) / event.height}%`;
      const tag = document.createElement("span");
      tag.className = "tag";
      if (y / event.height < 0.13) tag.classList.add("inside");
      if (x / event.width > 0.6) tag.classList.add("leftwards");
      const label = this.#label(found, index, event.faces.length);
      if (found.label === "uncertain") tag.append(label || "?");
      else tag.append(face(shownBy(found)), label);
      box.append(tag);
      return box;
    });
    this.#boxes.replaceChildren(...boxes);
    this.#boxes.setAttribute("aria-hidden", "true"); // the canvas says it
  }

  /**
   * Words of several faces would cover each other: in a tile the drawn faces stand alone, and
   * large they carry their number while there is no room for more.
   * @param {Face} found
   * @param {number} index
   * @param {number} count
   */
  #label(found, index, count) {
    const words = inWords(found);
    if (count === 1) return words;
    if (!this.numbered) return "";
    return count > 4 ? `${index + 1}` : `${index + 1}. ${words}`;
  }

  // A camera with old pictures must not look live.
  drawState() {
    const { word, why, stale } = this.camera.health();
    const live = word === "Live";
    this.element.classList.toggle("dim", stale || !live);
    // Even a few new pictures are shown.
    this.#veil.hidden = live || !stale;
    this.#off.classList.toggle("mute", !live);
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

/**
 * @param {string} name
 * @param {EmotionEvent | null | undefined} event
 * @param {boolean} stale
 */
export function describe(name, event, stale) {
  if (!event) return `${name}: no picture yet`;
  if (stale) return `${name}: no current picture`;
  if (!event.faces.length) return `${name}: no face`;
  return `${name}: ${ordered(event).map(inWords).join(", ")}`;
}
