// Which tiles the wall shows, in which order and how large.
import { byId, find, reorder } from "./dom.js";
import { FullScreen } from "./fullscreen.js";
import { byTitle, compareTexts } from "./order.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {{ text: string, state: string, group: string }} Filter */

// Cameras that need attention come first.
const ORDER = ["Down", "Not analysed", "Falling behind", "No data", "Unknown", "Live", "Ended"];
// How many are to be seen at once on a screen of 1440 x 900.
const DENSITIES = ["6", "12", "20", "40"];
const KEPT_AS = "emotion-streams density";

/**
 * @param {Camera} a
 * @param {Camera} b
 */
export function byAttention(a, b) {
  const rank = (/** @type {Camera} */ camera) => ORDER.indexOf(camera.health().word);
  return rank(a) - rank(b) || byTitle(a, b);
}

/**
 * Whether a camera is among those asked for.
 * @param {Camera} camera
 * @param {Filter} filter
 */
export function matches(camera, { text, state, group }) {
  const { title = "", group: own = "" } = camera.status ?? {};
  const words = `${camera.name} ${title} ${own}`.toLocaleLowerCase();
  return text.toLocaleLowerCase().split(/\s+/).every((word) => words.includes(word))
    && (!state || camera.health().word === state) && (!group || own === group);
}

export class Wall {
  /** @type {Filter} */
  filter = { text: "", state: "", group: "" };
  #options = "";

  /**
   * @param {() => void} onChange the filter
   */
  constructor(onChange) {
    this.toolbar = byId("toolbar");
    this.list = byId("cameras");
    this.none = byId("none");
    this.search = /** @type {HTMLInputElement} */ (byId("search"));
    this.density = find(this.toolbar, ".density");
    this.states = /** @type {HTMLSelectElement} */ (byId("states"));
    this.groups = /** @type {HTMLSelectElement} */ (byId("groups"));
    this.search.addEventListener("input", () => {
      this.filter.text = this.search.value.trim();
      onChange();
    });
    this.states.addEventListener("change", () => {
      this.filter.state = this.states.value;
      onChange();
    });
    this.groups.addEventListener("change", () => {
      this.filter.group = this.groups.value;
      onChange();
    });
    this.density.append(...DENSITIES.map((density) => this.#densityButton(density)));
    this.#setDensity(kept() ?? "6");
    this.fullScreen = new FullScreen(onChange);
  }

  /** @param {string} density */
  #densityButton(density) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = density;
    button.setAttribute("aria-label", `About ${density} cameras on a screen`);
    button.addEventListener("click", () => this.#setDensity(density));
    return button;
  }

  /** @param {string} density */
  #setDensity(density) {
    this.list.dataset.density = density;
    for (const button of this.density.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.textContent === density));
    }
    try {
      localStorage.setItem(KEPT_AS, density);
    } catch {
      // Storage may be forbidden; the wall is as dense until it is closed.
    }
  }

  /**
   * Show the tiles of these cameras that match, in order. What has the focus keeps it.
   * @param {{ camera: Camera, element: HTMLElement }[]} tiles
   */
  arrange(tiles) {
    this.#drawOptions(tiles.map(({ camera }) => camera));
    const sorted = [...tiles].sort((a, b) => byAttention(a.camera, b.camera));
    const matching = sorted.map(({ camera }) => camera).filter((camera) => matches(camera, this.filter));
    const shown = new Set(this.fullScreen.active ? this.fullScreen.pageOf(matching) : matching);
    for (const { camera, element } of sorted) element.hidden = !shown.has(camera);
    reorder(this.list, sorted.map(({ element }) => element));
    this.none.hidden = shown.size > 0 || tiles.length === 0;
    this.toolbar.hidden = tiles.length === 0;
    // Of one camera nothing is to be chosen; its overview stays. A filter must not hide it for good.
    const isAlone = tiles.length < 2 && shown.size === tiles.length;
    for (const element of [this.search, this.states, this.density]) element.hidden = isAlone;
    this.groups.hidden = isAlone || this.groups.length === 1;
  }

  /** @param {Camera[]} all */
  #drawOptions(all) {
    const states = ORDER.filter((word) => all.some((camera) => camera.health().word === word));
    const groups = [...new Set(all.flatMap(({ status }) => status?.group || []))].sort(compareTexts);
    const options = JSON.stringify([states, groups, this.filter.state, this.filter.group]);
    if (options === this.#options) return;
    this.#options = options;
    fill(this.states, "All states", states, this.filter.state);
    fill(this.groups, "All groups", groups, this.filter.group);
  }
}

/**
 * What is chosen stays among the choices, else a filter would work unseen.
 * @param {HTMLSelectElement} select
 * @param {string} all
 * @param {string[]} values
 * @param {string} chosen
 */
function fill(select, all, values, chosen) {
  select.replaceChildren(...[...new Set(["", ...values, chosen])].map((value) => {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = value || all;
    return option;
  }));
  select.value = chosen;
}

function kept() {
  try {
    const density = localStorage.getItem(KEPT_AS);
    return density && DENSITIES.includes(density) ? density : null;
  } catch {
    return null;
  }
}
