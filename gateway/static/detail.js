// One camera, large: its picture, each face's probabilities as bars, and what was seen over time.
import { fetchHeader } from "./api.js";
import { bar, drawBars, laneLabel } from "./bars.js";
import { cloned, find, findLink, setAttribute, setHidden, setText } from "./dom.js";
import { LANES, face } from "./emotions.js";
import { identityOf, ordered, shownBy } from "./faces.js";
import { drawFacts } from "./facts.js";
import { OverTime } from "./overtime.js";
import { PictureView } from "./picture.js";
import { neighboursOf } from "./router.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").Face} Face */

const BARS_EVERY_MS = 200; // faster changes cannot be read

export class Detail {
  #chosen = ""; // the identity of a face
  #barsDrawn = 0;

  /**
   * @param {HTMLElement} section
   * @param {Camera} camera
   * @param {() => string[]} names of all cameras, in the order in which the steps lead from one to the next
   * @param {boolean} withPictures
   */
  constructor(section, camera, names, withPictures) {
    this.camera = camera;
    this.names = names;
    section.replaceChildren(cloned("detail-template"));
    this.title = find(section, "h1");
    this.state = find(section, ".state");
    this.chips = find(section, ".chips");
    this.bars = find(section, ".bars");
    this.noface = find(section, ".noface");
    this.facts = find(section, ".facts");
    this.previous = findLink(section, ".previous");
    this.next = findLink(section, ".next");
    this.steps = find(section, ".steps");
    this.#showReach(find(section, ".reach"));
    find(section, ".lanes .people").after(...LANES.map(laneLabel));
    this.bars.append(...LANES.map(bar));
    this.picture = new PictureView(find(section, ".picture"), camera, { choosable: true, withPictures });
    this.picture.boxes.onChoose = (identity) => this.#choose(identity);
    for (const element of [find(section, ".picture"), this.chips]) {
      element.addEventListener("keydown", (press) => this.#walk(press));
    }
    this.overTime = new OverTime(section, camera);
    this.drawPicture();
  }

  /**
   * How far back an export reaches now: to the oldest event that Redis keeps.
   * @param {HTMLElement} element
   */
  async #showReach(element) {
    const oldest = await fetchHeader(`api/cameras/${this.camera.name}/export`, "X-Oldest-Event");
    const time = new Date(oldest ?? Number.NaN);
    if (!Number.isNaN(time.getTime())) element.textContent = `since ${time.toLocaleString()}`;
  }

  drawPicture() {
    const faces = this.#faces();
    const identities = faces.map(identityOf);
    if (!identities.includes(this.#chosen)) this.#chosen = identities[0] ?? this.#chosen;
    this.picture.boxes.chosen = this.#chosen;
    this.picture.draw();
    this.#drawBars();
  }

  #faces() {
    const event = this.picture.withPictures ? this.camera.shown?.event : this.camera.newest;
    return event ? ordered(event) : [];
  }

  /** @param {string} identity */
  #choose(identity) {
    this.#chosen = identity;
    this.#barsDrawn = 0;
    this.drawPicture();
  }

  /**
   * Up and down lead from face to face, in the picture and in the list.
   * @param {KeyboardEvent} press
   */
  #walk(press) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[press.key];
    const identities = this.#faces().map(identityOf);
    if (!by || !identities.length) return;
    press.preventDefault();
    const index = identities.indexOf(this.#chosen) + by;
    const next = identities[(index + identities.length) % identities.length];
    const isChip = this.chips.contains(document.activeElement);
    this.#choose(next);
    if (isChip) /** @type {HTMLElement | null} */ (this.chips.querySelector("[aria-pressed=true]"))?.focus();
    else this.picture.boxes.focus(next);
  }

  #drawBars() {
    const now = performance.now();
    if (now - this.#barsDrawn < BARS_EVERY_MS) return;
    this.#barsDrawn = now;
    // Of an old picture nothing is shown as if it were true now.
    const { isOld } = this.picture;
    const faces = this.#faces();
    this.#drawChips(faces, isOld);
    const chosen = isOld ? undefined : faces.find((found, index) => identityOf(found, index) === this.#chosen);
    this.bars.hidden = !chosen;
    this.noface.hidden = Boolean(chosen);
    this.noface.textContent = this.camera.health().stale || !this.camera.newest ? "No picture analysed now"
      : isOld ? "No current picture" : "No face in the picture";
    if (chosen) drawBars(this.bars, chosen);
  }

  /**
   * @param {Face[]} faces
   * @param {boolean} isOld
   */
  #drawChips(faces, isOld) {
    const count = faces.length > 1 ? faces.length : 0;
    while (this.chips.children.length > count) this.chips.lastElementChild?.remove();
    while (this.chips.children.length < count) {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.addEventListener("click", () => this.#choose(chip.dataset.face ?? ""));
      this.chips.append(chip);
    }
    const chips = /** @type {HTMLElement[]} */ ([...this.chips.children]);
    chips.forEach((chip, index) => {
      const shown = isOld ? "" : shownBy(faces[index]);
      const { track } = faces[index];
      const name = track ? `Person ${this.camera.numberOf(track)}` : `Face ${index + 1}`;
      chip.dataset.face = identityOf(faces[index], index);
      chip.tabIndex = chip.dataset.face === this.#chosen ? 0 : -1;
      chip.setAttribute("aria-pressed", String(chip.dataset.face === this.#chosen));
      if (chip.dataset.shows === `${shown} ${name}`) return;
      chip.dataset.shows = `${shown} ${name}`;
      const icon = shown === "uncertain" ? "?" : shown && face(shown);
      chip.replaceChildren(icon, name);
    });
  }

  // The title, and the steps to other cameras: these come, go, and change places.
  #drawHead() {
    const { name, title } = this.camera;
    const { previous, next } = neighboursOf(name, this.names());
    setText(this.title, title);
    document.title = `${title} – emotion-streams`;
    setAttribute(this.previous, "href", `#/${previous}`);
    setAttribute(this.next, "href", `#/${next}`);
    setHidden(this.steps, next === name);
  }

  // Once a second, and when the state changes.
  draw() {
    const { camera } = this;
    this.#drawHead();
    const { word, why } = camera.health();
    this.state.textContent = why && word === "Falling behind" ? `${word}: ${why}` : word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    this.#drawBars(); // a picture grows old without an event
    drawFacts(this.facts, this.camera);
    this.overTime.draw();
  }
}
