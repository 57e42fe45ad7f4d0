// The wall of cameras: which cameras exist, which is open, and what is drawn when.
import { EventStream, PictureStream, fetchJson, pause, signOut } from "./api.js";
import { cameraOf, cameras, clock, link } from "./cameras.js";
import { PageVisibility } from "./connection.js";
import { Detail } from "./detail.js";
import { byId } from "./dom.js";
import { Overview } from "./overview.js";
import { neighboursOf, routedName } from "./router.js";
import { FrameScheduler, eachSecond } from "./scheduler.js";
import { say, sayMood } from "./speech.js";
import { changeLink, drawBanner, drawTotals } from "./status.js";
import { Tile } from "./tile.js";
import { Wall, byAttention } from "./wall.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").CameraStatus} CameraStatus */
/** @typedef {import("./cameras.js").Link} Link */

const [GRID_FPS, LARGE_FPS] = [10, 25];
const MAX_WATCHED = 64;
const WATCH_AFTER_MS = 150; // scrolling passes many by

export class App {
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Set<string>} */
  #inView = new Set();
  /** @type {Detail | null} */
  #detail = null;
  /** @type {boolean | null} */
  #withPictures = null; // not known before the list of cameras is loaded
  #loadingHistories = false;
  #arranging = false;
  #overview = new Overview(() => [...this.#tiles.values()].map(({ camera }) => camera));
  #wall = new Wall(() => this.#arrange());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watchTimer;
  /** @type {FrameScheduler<Camera>} */
  #frames = new FrameScheduler((camera) => this.#drawPicture(camera));

  #pictures = new PictureStream(async (name, frameId, jpeg) => {
    const blob = new Blob([jpeg], { type: "image/jpeg" });
    const bitmap = await createImageBitmap(blob).catch(() => null);
    if (bitmap) cameraOf(name).offer(frameId, bitmap);
  });

  #events = new EventStream({
    onEvent: (event) => {
      const camera = cameraOf(event.camera);
      camera.add(event);
      if (this.#detail?.camera === camera) this.#detail.overTime.see(event);
    },
    onEpisode: (record) => {
      if (this.#detail?.camera.name === record.camera) this.#detail.overTime.addEpisode(record);
    },
    onStatus: (status) => this.#setStatus(status),
    onRemoved: (name) => this.#remove(name),
    onGap: () => this.#reloadHistories(),
    onRedis: (redis) => (redis ? this.#loadCameras() : this.#setLink({ redis })),
    onLink: (gateway) => {
      this.#setLink({ gateway });
      this.#loadCameras(); // changes in the meantime, or the reason why the stream does not open
    },
  });

  #visibility = new PageVisibility({
    onConnect: ({ reload }) => {
      if (reload) this.#events.forget();
      this.#events.open();
      this.#watch();
    },
    onDisconnect: () => {
      this.#events.close();
      this.#pictures.watch([], 0);
    },
  });

  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const name = /** @type {HTMLElement} */ (target).dataset.camera ?? "";
      if (isIntersecting) this.#inView.add(name);
      else this.#inView.delete(name);
    }
    this.#watchSoon();
  }, { rootMargin: "100px" });

  start() {
    addEventListener("hashchange", () => this.#route());
    byId("skip").addEventListener("click", (click) => {
      click.preventDefault(); // its target is not a camera
      (this.#detail ? this.#detail.title : byId("cameras")).focus();
    });
    byId("sign-out").addEventListener("click", signOut);
    eachSecond(() => this.#redraw());
    this.#visibility.start();
    this.#loadCameras();
  }

  // Cameras

  async #loadCameras() {
    let answer;
    try {
      answer = await fetchJson("api/cameras");
    } catch (error) {
      const { status } = /** @type {{ status?: number }} */ (error);
      // 503: the gateway cannot read Redis. Else it is away, which the event stream shows.
      this.#setLink({ redis: status !== 503 });
      return;
    }
    this.#setLink({ redis: true });
    byId("sign-out").hidden = !answer.signed_in;
    clock.ahead_ms = answer.now_ms - Date.now();
    this.#withPictures = answer.pictures !== "off";
    for (const status of /** @type {CameraStatus[]} */ (answer.cameras)) this.#setStatus(status);
    const names = new Set(answer.cameras.map((/** @type {CameraStatus} */ status) => status.camera));
    for (const name of [...this.#tiles.keys()]) if (!names.has(name)) this.#remove(name);
    this.#route();
  }

  /** @param {CameraStatus} status */
  #setStatus(status) {
    const camera = cameraOf(status.camera);
    const before = camera.status;
    camera.status = status;
    if (this.#withPictures === null) return;
    if (!this.#tiles.has(status.camera)) this.#add(camera);
    else if (before?.title !== status.title || before?.group !== status.group) {
      this.#draw(camera);
      this.#arrangeSoon();
    }
    this.#updateHealth(camera);
  }

  /** @param {Camera} camera */
  #add(camera) {
    const tile = new Tile(camera, Boolean(this.#withPictures));
    this.#tiles.set(camera.name, tile);
    byId("cameras").append(tile.element);
    this.#arrangeSoon();
    this.#observer.observe(tile.element);
    camera.onPicture = () => this.#frames.schedule(camera);
    camera.onEvent = () => { if (!this.#withPictures) this.#frames.schedule(camera); };
    tile.draw();
    this.#route();
  }

  /** @param {string} name */
  #remove(name) {
    const tile = this.#tiles.get(name);
    if (!tile) return;
    this.#observer.unobserve(tile.element);
    tile.element.remove();
    this.#tiles.delete(name);
    this.#inView.delete(name);
    cameras.delete(name);
    this.#watchSoon(); // a request that names a removed camera is refused as a whole
    drawTotals();
    this.#arrangeSoon();
    this.#route();
  }

  // Once for all that changes at a time.
  #arrangeSoon() {
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
  #updateHealth(camera) {
    const { word, stale } = camera.health();
    const before = camera.shownHealth;
    if (before?.word === word && before.stale === stale) return;
    camera.shownHealth = { word, stale };
    if (before && before.word !== word && link.gateway && link.redis) {
      say(`${camera.title} is ${word.toLowerCase()}`);
    }
    this.#draw(camera);
    drawTotals();
    this.#arrangeSoon();
  }

  /** @param {Partial<Link>} change */
  #setLink(change) {
    if (!changeLink(change)) return;
    for (const camera of cameras.values()) if (camera.status) this.#updateHealth(camera);
    drawBanner();
  }

  // In the order of the wall, which the steps from camera to camera follow.
  #names() {
    return [...this.#tiles.values()].map(({ camera }) => camera).sort(byAttention).map(({ name }) => name);
  }

  // Histories of what is in view, one camera after the other: many at once exceed the rate limit.

  async #loadHistories() {
    if (this.#loadingHistories) return;
    this.#loadingHistories = true;
    for (;;) {
      const camera = this.#seen().find(({ stale }) => stale);
      if (!camera) break;
      camera.stale = false; // before loading: what is missed from here on sets it again
      try {
        camera.load(await fetchJson(`api/cameras/${camera.name}/history`));
        this.#draw(camera);
      } catch {
        camera.stale = true;
        await pause(1000);
      }
    }
    this.#loadingHistories = false;
  }

  #seen() {
    if (document.hidden) return [];
    return this.#detail ? [this.#detail.camera] : [...this.#inView].map(cameraOf);
  }

  #reloadHistories() {
    for (const camera of cameras.values()) camera.stale = true;
    this.#detail?.overTime.reload();
    this.#loadHistories();
  }

  // Drawing

  /** @param {Camera} camera */
  #drawPicture(camera) {
    if (this.#detail?.camera === camera) this.#detail.drawPicture();
    else if (!this.#detail) this.#tiles.get(camera.name)?.drawPicture();
  }

  /** @param {Camera} camera */
  #draw(camera) {
    if (this.#detail?.camera === camera) this.#detail.draw();
    else if (!this.#detail) this.#tiles.get(camera.name)?.draw();
  }

  #redraw() {
    if (this.#detail) {
      this.#detail.draw();
      sayMood(this.#detail.camera);
    } else {
      for (const name of this.#inView) this.#tiles.get(name)?.draw();
      this.#overview.draw();
    }
  }

  // Pictures

  #watch() {
    this.#loadHistories();
    if (document.hidden || !this.#withPictures) this.#pictures.watch([], 0);
    else if (this.#detail) this.#pictures.watch([this.#detail.camera.name], LARGE_FPS);
    else this.#pictures.watch([...this.#inView].slice(0, MAX_WATCHED), GRID_FPS);
  }

  #watchSoon() {
    clearTimeout(this.#watchTimer);
    this.#watchTimer = setTimeout(() => this.#watch(), WATCH_AFTER_MS);
  }

  // Places

  #route() {
    const name = routedName(location.hash);
    const open = this.#tiles.has(name);
    byId("empty").hidden = this.#tiles.size > 0;
    byId("unknown").hidden = this.#withPictures === null || open || name === "";
    byId("unknown").textContent = `There is no camera “${name}”. These are the cameras there are:`;
    if (open && this.#detail?.camera.name !== name) this.#showDetail(name);
    else if (!open && this.#detail) this.#showGrid();
  }

  /** @param {string} name */
  #showDetail(name) {
    const neighbours = neighboursOf(name, this.#names());
    byId("grid").hidden = true;
    byId("detail").hidden = false;
    this.#detail = new Detail(byId("detail"), cameraOf(name), neighbours, Boolean(this.#withPictures));
    document.title = `${cameraOf(name).title} – emotion-streams`;
    this.#detail.draw();
    this.#detail.title.focus({ preventScroll: true });
    scrollTo(0, 0);
    this.#watch();
  }

  #showGrid() {
    const name = this.#detail?.camera.name ?? "";
    this.#detail = null;
    byId("detail").hidden = true;
    byId("detail").replaceChildren();
    byId("grid").hidden = false;
    document.title = "emotion-streams";
    for (const tile of this.#tiles.values()) {
      tile.draw();
      tile.drawPicture();
    }
    this.#tiles.get(name)?.link.focus();
    this.#watch();
  }
}
