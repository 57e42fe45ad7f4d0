// The wall of cameras: which cameras exist, which is open, and what is drawn when.
import { signOut } from "./api.js";
import { cameraOf, cameras, clock } from "./cameras.js";
import { PageVisibility } from "./connection.js";
import { Detail } from "./detail.js";
import { byId } from "./dom.js";
import { EventStream } from "./eventstream.js";
import { Histories } from "./histories.js";
import { InView } from "./inview.js";
import { Overview } from "./overview.js";
import { Roster } from "./roster.js";
import { routedName } from "./router.js";
import { eachSecond } from "./scheduler.js";
import { sayMood } from "./speech.js";
import { changeLink, drawBanner } from "./status.js";
import { Tiles } from "./tiles.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./link.js").Link} Link */

export class App {
  /** @type {Detail | null} */
  #detail = null;
  #inView = new InView(() => this.#watch());
  #tiles = new Tiles(this.#inView, () => this.#detail);
  #roster = new Roster(this.#tiles, {
    onLoaded: (answer) => this.#listLoaded(answer),
    onFailed: (status) => this.#listFailed(status),
    onChange: () => this.#route(),
  });
  #overview = new Overview(() => this.#tiles.cameras);
  #histories = new Histories(() => this.#seen(), (camera) => this.#tiles.draw(camera));

  #events = new EventStream({
    onEvent: (event) => {
      const camera = cameraOf(event.camera);
      camera.add(event);
      if (this.#detail?.camera === camera) this.#detail.overTime.see(event);
    },
    onEpisode: (record) => {
      if (this.#detail?.camera.name === record.camera) this.#detail.overTime.addEpisode(record);
    },
    onStatus: (status) => this.#roster.note(status),
    onRemoved: (name) => this.#roster.noteRemoved(name),
    onGap: () => {
      this.#detail?.overTime.reload();
      this.#histories.reload();
    },
    onRedis: (redis) => (redis ? this.#roster.load() : this.#setLink({ redis })),
    onLink: (gateway) => {
      this.#setLink({ gateway });
      // The connection of the pictures may be as dead as that of the events, and nothing says so.
      if (gateway) this.#watch();
      else this.#inView.stop();
      this.#roster.load(); // changes in the meantime, or the reason why the stream does not open
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
      this.#setLink({ gateway: null });
      this.#inView.stop();
      this.#roster.stop();
    },
  });

  start() {
    addEventListener("hashchange", () => this.#route());
    byId("skip").addEventListener("click", (click) => {
      click.preventDefault(); // its target is not a camera
      (this.#detail ? this.#detail.title : byId("cameras")).focus();
    });
    byId("sign-out").addEventListener("click", signOut);
    eachSecond(() => this.#redraw());
    this.#visibility.start();
    this.#roster.load();
  }

  // Cameras

  /** @param {number} [status] of the response */
  #listFailed(status) {
    if (status === 401) location.reload(); // signed out elsewhere: it shows the page to sign in
    const reason = status === undefined ? "no answer" : `HTTP status ${status}`;
    // 503: the gateway cannot read Redis. Else it is away, which the event stream shows.
    this.#setLink({ redis: status !== 503, list: this.#roster.withPictures === null ? reason : "" });
    return status !== 401 && !document.hidden;
  }

  /** @param {import("./cameralist.js").Answer} answer */
  #listLoaded(answer) {
    this.#setLink({ redis: true, list: "" });
    byId("sign-out").hidden = !answer.signed_in;
    clock.ahead_ms = answer.now_ms - Date.now();
  }

  /** @param {Partial<Link>} change */
  #setLink(change) {
    if (!changeLink(change)) return;
    for (const camera of cameras.values()) if (camera.status) this.#tiles.updateHealth(camera);
    drawBanner();
  }

  #seen() {
    if (document.hidden) return [];
    return this.#detail ? [this.#detail.camera] : [...this.#inView.names].map(cameraOf);
  }

  // Drawing

  #redraw() {
    if (this.#detail) {
      this.#detail.draw();
      sayMood(this.#detail.camera);
    } else {
      this.#tiles.drawAll();
      this.#overview.draw();
    }
  }

  #watch() {
    this.#histories.load();
    if (document.hidden || !this.#roster.withPictures) this.#inView.stop();
    else this.#inView.watch(this.#detail?.camera ?? null);
  }

  // Places

  #route() {
    const name = routedName(location.hash);
    const open = this.#tiles.has(name);
    byId("empty").hidden = this.#tiles.size > 0;
    byId("unknown").hidden = this.#roster.withPictures === null || open || name === "";
    byId("unknown").textContent = `There is no camera “${name}”. These are the cameras there are:`;
    if (open && this.#detail?.camera.name !== name) this.#showDetail(name);
    else if (!open && this.#detail) this.#showGrid();
  }

  /** @param {string} name */
  #showDetail(name) {
    this.#tiles.leaveFullScreen();
    byId("grid").hidden = true;
    byId("detail").hidden = false;
    this.#detail = new Detail(byId("detail"), cameraOf(name), () => this.#tiles.names, Boolean(this.#roster.withPictures));
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
    this.#tiles.show(name);
    this.#watch();
  }
}
