// A camera in the grid.
import { rate } from "./cameras.js";
import { cloned, find, findCanvas, findLink, setAttribute, setText } from "./dom.js";
import { WIRE, face, percent } from "./emotions.js";
import { describe, peopleIn } from "./faces.js";
import { isLinked } from "./link.js";
import { PictureView } from "./picture.js";
import { drawRibbon } from "./ribbon.js";

/** @typedef {import("./cameras.js").Camera} Camera */

export class Tile {
  #ribbonSize = { width: 0, height: 0 }; // 0 where it is not shown

  /**
   * @param {Camera} camera
   * @param {boolean} withPictures
   */
  constructor(camera, withPictures) {
    this.camera = camera;
    this.element = /** @type {HTMLElement} */ (cloned("tile-template").firstElementChild);
    this.link = findLink(this.element, "a");
    this.link.href = `#/${camera.name}`;
    this.element.dataset.camera = camera.name;
    this.title = find(this.element, "h2");
    this.state = find(this.element, ".state");
    this.mood = find(this.element, ".mood");
    this.figures = find(this.element, ".figures");
    this.ribbon = findCanvas(this.element, ".ribbon");
    this.picture = new PictureView(find(this.element, ".picture"), camera, { withPictures });
    this.picture.draw();
    new ResizeObserver(([{ contentRect }]) => {
      this.#ribbonSize = { width: contentRect.width, height: contentRect.height };
      this.draw();
    }).observe(this.ribbon);
  }

  drawPicture() {
    this.picture.draw();
  }

  // Everything but the picture: once a second, and when the state changes.
  draw() {
    const { camera } = this;
    const { word, why, stale } = camera.health();
    setText(this.title, camera.title);
    // Of small tiles the title is cut off.
    setAttribute(this.element, "title", [camera.title, camera.status?.group].filter(Boolean).join(" · "));
    setText(this.state, word);
    setAttribute(this.state, "data-verdict", word.toLowerCase());
    this.picture.drawState();
    const latency = camera.median((event) => event.latency.total_ms);
    const people = peopleIn(camera.newest);
    const parts = !stale ? [`${people} ${people === 1 ? "person" : "people"}`, rate(camera.fps())] : word === "Live" ? [why] : [];
    if (latency !== null && !stale) parts.push(`${Math.round(latency)} ms`);
    setText(this.figures, parts.join(" · "));
    const shares = camera.recentShares();
    const summary = drawMood(this.mood, shares, camera);
    if (this.#ribbonSize.width) drawRibbon(this.ribbon, this.#ribbonSize, camera);
    setAttribute(this.ribbon, "aria-label", `Emotions of the last five minutes. ${summary}`);
    setAttribute(this.link, "aria-label", `${word}. ${describe(camera.title, camera.newest, stale)}`);
  }
}

/**
 * @param {HTMLElement} element
 * @param {number[] | null} shares in the order of WIRE
 * @param {Camera} camera
 */
function drawMood(element, shares, camera) {
  if (!shares) {
    const nothing = camera.sawFaces() ? "No lasting emotion in the last minute"
      : camera.analysed() ? "No face in the last minute" : "Nothing analysed in the last minute";
    // Without a connection it may have been analysed all the same.
    setText(element, camera.historyUpTo !== null && isLinked() ? nothing : "");
    delete element.dataset.text;
    return element.textContent;
  }
  const most = shares.indexOf(Math.max(...shares));
  const text = `mostly ${WIRE[most]}`;
  if (element.dataset.text !== text) {
    element.replaceChildren(face(WIRE[most]), text);
    element.dataset.text = text;
  }
  return `In the last minute ${text}, ${percent(shares[most])}`;
}
