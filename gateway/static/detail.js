// One camera, large: its picture, each face's probabilities as bars, and what was seen over time.
import { fetchHeader } from "./api.js";
import { MEDIAN_OF, rate } from "./cameras.js";
import { cloned, find, findLink } from "./dom.js";
import { LANES, face, percent } from "./emotions.js";
import { identityOf, ordered, peopleIn, shownBy } from "./faces.js";
import { OverTime } from "./overtime.js";
import { PictureView } from "./picture.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").Face} Face */
/** @typedef {import("./cameras.js").Latency} Latency */

const BARS_EVERY_MS = 200; // faster changes cannot be read

export class Detail {
  #chosen = ""; // the identity of a face
  #barsDrawn = 0;

  /**
   * @param {HTMLElement} section
   * @param {Camera} camera
   * @param {{ previous: string, next: string }} neighbours
   * @param {boolean} withPictures
   */
  constructor(section, camera, neighbours, withPictures) {
    this.camera = camera;
    section.replaceChildren(cloned("detail-template"));
    this.title = find(section, "h1");
    this.title.textContent = camera.title;
    this.state = find(section, ".state");
    this.chips = find(section, ".chips");
    this.bars = find(section, ".bars");
    this.noface = find(section, ".noface");
    this.facts = find(section, ".facts");
    findLink(section, ".previous").href = `#/${neighbours.previous}`;
    findLink(section, ".next").href = `#/${neighbours.next}`;
    find(section, ".steps").hidden = neighbours.next === camera.name;
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
    const faces = this.#faces();
    this.#drawChips(faces);
    const { stale } = this.camera.health();
    // Of an old picture nothing is shown as if it were true now.
    const chosen = stale ? undefined : faces.find((found, index) => identityOf(found, index) === this.#chosen);
    this.bars.hidden = !chosen;
    this.noface.hidden = Boolean(chosen);
    this.noface.textContent = this.camera.newest && !stale ? "No face in the picture" : "No picture analysed now";
    if (!chosen) return;
    for (const row of /** @type {Iterable<HTMLElement>} */ (this.bars.children)) {
      const share = chosen.probabilities[row.dataset.emotion ?? ""];
      row.classList.toggle("first", row.dataset.emotion === chosen.emotion);
      find(row, ".fill").style.width = `${100 * share}%`;
      find(row, ".percent").textContent = percent(share);
      find(row, ".track").setAttribute("aria-valuenow", String(Math.round(100 * share)));
    }
  }

  /** @param {Face[]} faces */
  #drawChips(faces) {
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
      const shown = shownBy(faces[index]);
      const { track } = faces[index];
      const name = track ? `Person ${this.camera.numberOf(track)}` : `Face ${index + 1}`;
      chip.dataset.face = identityOf(faces[index], index);
      chip.tabIndex = chip.dataset.face === this.#chosen ? 0 : -1;
      chip.setAttribute("aria-pressed", String(chip.dataset.face === this.#chosen));
      if (chip.dataset.shows === `${shown} ${name}`) return;
      chip.dataset.shows = `${shown} ${name}`;
      chip.replaceChildren(...(shown === "uncertain" ? ["?"] : [face(shown)]), name);
    });
  }

  // Once a second, and when the state changes.
  draw() {
    const { camera } = this;
    const { word, why } = camera.health();
    this.state.textContent = why && word === "Falling behind" ? `${word}: ${why}` : word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    this.#drawBars(); // a picture grows old without an event
    this.#drawFacts();
    this.overTime.draw();
  }

  #drawFacts() {
    const { newest, status } = this.camera;
    const rows = [
      ["Analysed, last 10 s", `${rate(this.camera.fps())} of ${rate(status?.fps ?? 0)}`],
      ["Worker", status?.owner ?? "none"],
      ["Backlog", String(status?.backlog ?? "unknown")],
    ];
    if (newest) {
      /** @param {(latency: Latency) => number} of */
      const median = (of) => {
        const ms = this.camera.median(({ latency }) => of(latency)) ?? 0;
        return ms.toFixed(ms < 10 ? 1 : 0);
      };
      const parts = [
        median(({ decode_ms }) => decode_ms),
        median(({ detect_ms }) => detect_ms),
        median(({ classify_ms }) => classify_ms),
      ];
      rows.unshift(
        ["People in view", String(peopleIn(newest))],
        [`Capture to event, median of ${MEDIAN_OF}`, `${median(({ total_ms }) => total_ms)} ms`],
        [`Queue and waiting, median of ${MEDIAN_OF}`, `${median(({ queue_ms, wait_ms }) => queue_ms + wait_ms)} ms`],
        [`Decode, detect, classify, medians of ${MEDIAN_OF}`, `${parts.join(" + ")} ms`],
      );
      rows.push(
        ["Picture", `${newest.width} × ${newest.height}`],
        ["Model", `${newest.model.name} ${newest.model.version}`],
        ["Detector", newest.model.detector],
        ["Frame", newest.frame_id],
      );
    }
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [cell("dt", name), cell("dd", value)]));
  }
}

/**
 * @param {string} kind
 * @param {string} text
 */
function cell(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}

/** @param {string} name */
function laneLabel(name) {
  const row = document.createElement("li");
  row.append(face(name), cell("span", name));
  return row;
}

/** @param {string} name */
function bar(name) {
  const row = document.createElement("li");
  row.dataset.emotion = name;
  const track = document.createElement("div");
  track.className = "track";
  for (const [key, value] of [["role", "meter"], ["aria-label", name], ["aria-valuemin", "0"], ["aria-valuemax", "100"]]) {
    track.setAttribute(key, value);
  }
  const fill = document.createElement("div");
  fill.className = "fill";
  track.append(fill);
  const share = cell("span", "");
  share.className = "percent";
  row.append(face(name), cell("span", name), track, share);
  return row;
}
