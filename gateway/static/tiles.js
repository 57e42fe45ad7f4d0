// The tiles of the wall: one per camera, where each belongs, and when each is drawn.
import { byId } from "./dom.js";
import { isLinked } from "./link.js";
import { FrameScheduler } from "./scheduler.js";
import { say } from "./speech.js";
import { drawTotals } from "./status.js";
import { Tile } from "./tile.js";
import { Wall, byAttention } from "./wall.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./detail.js").Detail} Detail */

// Pictures of a few tiles are drawn as they come, those of forty five times a second.
const FEW = 4;
const EVERY_MS_PER_TILE = 5;
const EVERY_MS_AT_MOST = 250;

export class Tiles {
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #arranging = false;
  #wall = new Wall(() => this.#arrange());
  /** @type {FrameScheduler<Camera>} */
  #frames = new FrameScheduler(
    (camera) => this.#drawPicture(camera),
    () => this.#everyMs(),
  );

  /**
   * @param {import("./inview.js").InView} inView
   * @param {() => Detail | null} detail what is shown instead of the wall
   */
  constructor(inView, detail) {
    this.inView = inView;
    this.detail = detail;
  }

  #everyMs() {
    const { size } = this.inView.names;
    return this.detail() || size <= FEW ? 0 : Math.min(EVERY_MS_PER_TILE * size, EVERY_MS_AT_MOST);
  }

  get size() {
    return this.#tiles.size;
  }

  get cameras() {
    return [...this.#tiles.values()].map(({ camera }) => camera);
  }

  // In the order of the wall, which the steps from camera to camera follow.
  get names() {
    return this.cameras.sort(byAttention).map(({ name }) => name);
  }

  /** @param {string} name */
  has(name) {
    return this.#tiles.has(name);
  }

  /**
   * @param {Camera} camera
   * @param {boolean} withPictures
   */
  add(camera, withPictures) {
    const tile = new Tile(camera, withPictures);
    this.#tiles.set(camera.name, tile);
    byId("cameras").append(tile.element);
    this.arrangeSoon();
    this.inView.add(tile);
    camera.onPicture = () => this.#frames.schedule(camera);
    camera.onEvent = () => { if (!withPictures) this.#frames.schedule(camera); };
    tile.draw();
  }

  /**
   * Whether there was one.
   * @param {string} name
   */
  remove(name) {
    const tile = this.#tiles.get(name);
    if (!tile) return false;
    this.inView.remove(tile);
    tile.element.remove();
    this.#tiles.delete(name);
    this.arrangeSoon();
    return true;
  }

  // Once for all that changes at a time.
  arrangeSoon() {
    if (this.#arranging) return;
    this.#arranging = true;
    requestAnimationFrame(() => this.#arrange());
  }

  #arrange() {
    this.#arranging = false;
    this.#wall.arrange([...this.#tiles.values()]);
  }

  /**
   * A change is shown, and announced, at once.
   * @param {Camera} camera
   */
  updateHealth(camera) {
    const { word, why, stale } = camera.health();
    const before = camera.shownHealth;
    if (before?.word === word && before.why === why && before.stale === stale) return;
    camera.shownHealth = { word, why, stale };
    if (before && before.word !== word && isLinked()) {
      say(`${camera.title} is ${word.toLowerCase()}`);
    }
    this.draw(camera);
    drawTotals();
    this.arrangeSoon();
  }

  /** @param {Camera} camera */
  #drawPicture(camera) {
    if (this.detail()?.camera === camera) this.detail()?.drawPicture();
    else if (!this.detail()) this.#tiles.get(camera.name)?.drawPicture();
  }

  /** @param {Camera} camera */
  draw(camera) {
    if (this.detail()?.camera === camera) this.detail()?.draw();
    else if (!this.detail()) this.#tiles.get(camera.name)?.draw();
  }

  // Once a second.
  drawAll() {
    let pixels = 0;
    for (const name of this.inView.names) {
      const tile = this.#tiles.get(name);
      tile?.draw();
      pixels = Math.max(pixels, tile?.picture.pixels ?? 0);
    }
    if (pixels) this.inView.resize(pixels);
  }

  leaveFullScreen() {
    this.#wall.fullScreen.leave();
  }

  /**
   * The wall is shown again.
   * @param {string} name of the camera that had been shown
   */
  show(name) {
    for (const tile of this.#tiles.values()) {
      tile.draw();
      tile.drawPicture();
    }
    this.#tiles.get(name)?.link.focus();
  }
}
