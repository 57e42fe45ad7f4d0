// The boxes of one picture, each with the label that fits.
import { reorder, setAttribute } from "./dom.js";
import { face } from "./emotions.js";
import { details, identityOf, inWords, ordered, shownBy } from "./faces.js";
import { placeLabels } from "./placement.js";
import { widthOf } from "./ruler.js";

/** @typedef {import("./cameras.js").EmotionEvent} EmotionEvent */
/** @typedef {import("./cameras.js").Face} Face */
/** @typedef {{ box: HTMLElement, tag: HTMLElement, tip: HTMLElement, side: number | undefined, shown: string }} Drawn */

const BORDER = 3;
export class FaceBoxes {
  /** @type {Map<string, Drawn>} */
  #drawn = new Map();
  /** @type {((identity: string, focus: boolean) => void) | null} */
  onChoose = null;
  chosen = "";
  #width = 0;

  /**
   * @param {HTMLElement} element
   * @param {import("./cameras.js").Camera} camera
   * @param {{ choosable: boolean }} options choosable: the boxes are buttons
   */
  constructor(element, camera, { choosable }) {
    this.element = element;
    this.camera = camera;
    this.choosable = choosable;
    this.fontPx = choosable ? 15 : 13;
  }

  /**
   * @param {EmotionEvent} event
   * @param {import("./placement.js").Size} size of the picture on the page
   */
  draw(event, size) {
    const faces = ordered(event);
    const [sx, sy] = [size.width / event.width, size.height / event.height];
    const rects = faces.map(({ box: [x, y, width, height] }) => ({ x: x * sx, y: y * sy, width: width * sx, height: height * sy }));
    const texts = faces.map((found) => this.#texts(found));
    const all = faces.map((found, index) => this.#ofFace(identityOf(found, index)));
    const sizes = texts.map((levels) => levels.map((text) => this.#sizeOf(text)));
    const sides = size.width === this.#width ? all.map(({ side }) => side) : [];
    this.#width = size.width;
    const places = placeLabels(rects, sizes, size, sides);
    faces.forEach((found, i) => {
      const drawn = all[i];
      const rect = rects[i];
      const shown = shownBy(found);
      setAttribute(drawn.box, "data-emotion", shown);
      place(drawn.box, found, event);
      this.#drawTag(drawn, shown, texts[i], sizes[i], rect, places[i]);
      if (this.choosable) this.#describe(drawn, found, identityOf(found, i), rect, size);
    });
    const kept = new Set(all);
    for (const [identity, drawn] of this.#drawn) {
      if (kept.has(drawn)) continue;
      drawn.box.remove();
      this.#drawn.delete(identity);
    }
    // From left to right in the page as well, for those who walk it by keyboard.
    reorder(this.element, all.map(({ box }) => box));
  }

  /** @param {Face} found */
  #texts(found) {
    const number = found.track ? String(this.camera.numberOf(found.track)) : "";
    return [`${number} ${inWords(found)}`.trim(), number, ""];
  }

  /** @param {string} text */
  #sizeOf(text) {
    const icon = Math.round(1.45 * this.fontPx);
    const wide = text ? widthOf(text, this.fontPx) + 7 : 0;
    return { width: icon + 6 + wide, height: icon + 4 };
  }

  /** @param {string} identity */
  #ofFace(identity) {
    const before = this.#drawn.get(identity);
    if (before) return before;
    const box = document.createElement(this.choosable ? "button" : "div");
    box.className = "box";
    const tag = document.createElement("span");
    tag.className = "tag";
    const tip = document.createElement("span");
    tip.className = "tip";
    box.append(tag);
    if (this.choosable) {
      box.setAttribute("type", "button");
      box.append(tip);
      box.addEventListener("click", () => this.onChoose?.(identity, false));
    }
    const drawn = { box, tag, tip, side: undefined, shown: "" };
    this.#drawn.set(identity, drawn);
    return drawn;
  }

  /**
   * @param {Drawn} drawn
   * @param {string} shown
   * @param {string[]} texts
   * @param {import("./placement.js").Size[]} sizes
   * @param {import("./placement.js").Rect} rect
   * @param {import("./placement.js").Place | null} at
   */
  #drawTag(drawn, shown, texts, sizes, rect, at) {
    const { tag } = drawn;
    tag.hidden = !at;
    drawn.side = at?.side;
    if (!at) return;
    const text = texts[at.level];
    tag.style.left = `${at.x - rect.x - BORDER}px`;
    tag.style.top = `${at.y - rect.y - BORDER}px`;
    tag.style.width = `${sizes[at.level].width}px`;
    tag.style.height = `${sizes[at.level].height}px`;
    if (drawn.shown === `${shown} ${text}`) return;
    drawn.shown = `${shown} ${text}`;
    const icon = shown === "uncertain" ? document.createElement("b") : face(shown);
    if (shown === "uncertain") icon.textContent = "?";
    tag.replaceChildren(icon, text);
  }

  /**
   * @param {Drawn} drawn
   * @param {Face} found
   * @param {string} identity
   * @param {import("./placement.js").Rect} rect
   * @param {import("./placement.js").Size} size
   */
  #describe({ box, tip }, found, identity, rect, size) {
    const text = details(found, found.track ? this.camera.numberOf(found.track) : null);
    tip.textContent = text;
    const width = Math.min(280, size.width - 8);
    const x = Math.min(Math.max(rect.x, 4), size.width - width - 4);
    const below = rect.y + rect.height / 2 < size.height / 2;
    const room = (below ? size.height - rect.y - rect.height : rect.y) - BORDER - 4;
    tip.style.width = `${width}px`;
    tip.style.left = `${x - rect.x - BORDER}px`;
    tip.style.top = below ? `${rect.height}px` : "auto";
    tip.style.bottom = below ? "auto" : `${rect.height}px`;
    // Moved back by as much of its own height as has no room beside a large face.
    tip.style.translate = `0 ${below ? `min(0px, ${room}px - 100%)` : `max(0px, 100% - ${room}px)`}`;
    box.setAttribute("aria-label", text);
    box.setAttribute("aria-pressed", String(identity === this.chosen));
    // One stop of the Tab key for all faces; arrows lead from one to the next.
    box.tabIndex = identity === this.chosen ? 0 : -1;
  }

  /** @param {string} identity */
  focus(identity) {
    this.#drawn.get(identity)?.box.focus();
  }
}

/**
 * In shares, so that boxes stay right while the page changes its size.
 * @param {HTMLElement} element
 * @param {Face} found
 * @param {EmotionEvent} event
 */
function place(element, { box: [x, y, width, height] }, event) {
  const [left, top] = [`${(100 * x) / event.width}%`, `${(100 * y) / event.height}%`];
  Object.assign(element.style, {
    left, top, width: `${(100 * width) / event.width}%`, height: `${(100 * height) / event.height}%`,
  });
}
