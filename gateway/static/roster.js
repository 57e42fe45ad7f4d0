// Which cameras there are, from the list of cameras and the event stream, and their tiles.
import { CameraList, ListLoader } from "./cameralist.js";
import { cameraOf, cameras } from "./cameras.js";
import { drawTotals } from "./status.js";

/** @typedef {import("./cameralist.js").Answer} Answer */
/** @typedef {import("./cameras.js").CameraStatus} CameraStatus */

export class Roster {
  /** @type {boolean | null} */
  withPictures = null; // not known before the list of cameras is loaded
  #list = new CameraList();
  #loader;

  /**
   * `onChange`: cameras have come or gone; `onFailed` as of ListLoader.
   * @param {import("./tiles.js").Tiles} tiles
   * @param {{ onLoaded: (answer: Answer) => void, onChange: () => void, onFailed: (status?: number) => boolean }} handlers
   */
  constructor(tiles, { onLoaded, onChange, onFailed }) {
    this.tiles = tiles;
    this.onChange = onChange;
    this.#loader = new ListLoader(this.#list, {
      onLoaded: (answer) => {
        this.withPictures = answer.pictures !== "off";
        onLoaded(answer);
        this.#replace(answer.cameras);
      },
      onFailed,
    });
  }

  load() {
    return this.#loader.load();
  }

  stop() {
    this.#loader.stop();
  }

  /**
   * The stream says how a camera is.
   * @param {CameraStatus} status
   */
  note(status) {
    this.#list.note(status.camera, status);
    if (this.#set(status)) this.onChange();
  }

  /**
   * The stream says that a camera was removed.
   * @param {string} name
   */
  noteRemoved(name) {
    this.#list.note(name, null);
    if (this.#remove(name)) this.onChange();
  }

  /** @param {CameraStatus[]} all */
  #replace(all) {
    for (const status of all) this.#set(status);
    const names = new Set(all.map(({ camera }) => camera));
    for (const name of this.tiles.names) if (!names.has(name)) this.#remove(name);
    this.onChange(); // once: the address may name any of them
  }

  /**
   * Whether the camera is new.
   * @param {CameraStatus} status
   */
  #set(status) {
    const camera = cameraOf(status.camera);
    const before = camera.status;
    camera.status = status;
    if (this.withPictures === null) return false;
    const isNew = !this.tiles.has(status.camera);
    if (isNew) {
      this.tiles.add(camera, this.withPictures);
    } else if (before?.title !== status.title || before?.group !== status.group) {
      this.tiles.draw(camera);
      this.tiles.arrangeSoon();
    }
    this.tiles.updateHealth(camera);
    return isNew;
  }

  /**
   * Whether there was one.
   * @param {string} name
   */
  #remove(name) {
    if (!this.tiles.remove(name)) return false;
    cameras.delete(name);
    drawTotals();
    return true;
  }
}
