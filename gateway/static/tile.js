// A camera in the grid.
import { rate } from "./cameras.js";
import { cloned, find, findCanvas, findLink } from "./dom.js";
import { WIRE, face, percent } from "./emotions.js";
import { describe, peopleIn } from "./faces.js";
import { drawRibbon } from "./paint.js";
import { PictureView } from "./picture.js";

/** @typedef {import("./cameras.js").Camera} Camera */

export class Tile {
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
  }

  drawPicture() {
    this.picture.draw();
  }

  // Everything but the picture: once a second, and when the state changes.
  draw() {
    const { camera } = this;
    const { word, why, stale } = camera.health();
    if (this.title.textContent !== camera.title) this.title.textContent = camera.title;
    this.element.title = camera.status?.group ?? "";
    this.state.textContent = word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    const latency = camera.median((event) => event.latency.total_ms);
    const people = peopleIn(camera.newest);
    const parts = !stale ? [`${people} ${people === 1 ? "person" : "people"}`, rate(camera.fps())] : word === "Live" ? [why] : [];
    if (latency !== null && !stale) parts.push(`${Math.round(latency)} ms`);
    this.figures.textContent = parts.join(" · ");
    const shares = camera.recentShares();
    const summary = drawMood(this.mood, shares, camera);
    drawRibbon(this.ribbon, camera.seconds, camera.now());
    this.ribbon.setAttribute("aria-label", `Emotions of the last five minutes. ${summary}`);
    this.link.setAttribute("aria-label", `${word}. ${describe(camera.title, camera.newest, stale)}`);
  }
}

/**
 * @param {HTMLElement} element
 * @param {number[] | null} shares in the order of WIRE
 * @param {Camera} camera
 */
function drawMood(element, shares, camera) {
  if (!shares) {
    const nothing = camera.analysed() ? "No face in the last minute" : "Nothing analysed in the last minute";
    element.textContent = camera.historyUpTo !== null ? nothing : "";
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
