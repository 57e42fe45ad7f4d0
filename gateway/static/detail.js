// One camera, large: its picture, each face's probabilities as bars, and what was seen over time.
import { MEDIAN_OF, rate } from "./cameras.js";
import { cloned, find, findLink } from "./dom.js";
import { LANES, face, percent } from "./emotions.js";
import { OverTime } from "./overtime.js";
import { PictureView, ordered } from "./picture.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").Face} Face */
/** @typedef {import("./cameras.js").Latency} Latency */

const BARS_EVERY_MS = 200; // faster changes cannot be read

export class Detail {
  #chosen = 0;
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
    this.title.textContent = camera.name;
    this.state = find(section, ".state");
    this.chips = find(section, ".chips");
    this.bars = find(section, ".bars");
    this.noface = find(section, ".noface");
    this.facts = find(section, ".facts");
    findLink(section, ".previous").href = `#/${neighbours.previous}`;
    findLink(section, ".next").href = `#/${neighbours.next}`;
    find(section, ".steps").hidden = neighbours.next === camera.name;
    find(section, ".lanes .people").after(...LANES.map(laneLabel));
    this.bars.append(...LANES.map(bar));
    this.picture = new PictureView(find(section, ".picture"), camera, { numbered: true, withPictures });
    this.overTime = new OverTime(section, camera);
    this.drawPicture();
  }

  drawPicture() {
    this.picture.draw();
    this.#drawBars();
  }

  #drawBars() {
    const now = performance.now();
    if (now - this.#barsDrawn < BARS_EVERY_MS) return;
    this.#barsDrawn = now;
    const event = this.picture.withPictures ? this.camera.shown?.event : this.camera.newest;
    const faces = event ? ordered(event) : [];
    this.#drawChips(faces);
    const chosen = faces[Math.min(this.#chosen, faces.length - 1)];
    this.bars.hidden = !chosen;
    this.noface.hidden = Boolean(chosen);
    const { stale } = this.camera.health();
    this.noface.textContent = event && !stale ? "No face in the picture" : "No picture analysed now";
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
      const index = this.chips.children.length;
      const chip = document.createElement("button");
      chip.type = "button";
      chip.addEventListener("click", () => {
        this.#chosen = index;
        this.#barsDrawn = 0;
        this.#drawBars();
      });
      this.chips.append(chip);
    }
    const chips = /** @type {HTMLElement[]} */ ([...this.chips.children]);
    chips.forEach((chip, index) => {
      const { emotion } = faces[index];
      chip.setAttribute("aria-pressed", String(index === Math.min(this.#chosen, count - 1)));
      if (chip.dataset.shows === emotion) return;
      chip.dataset.shows = emotion;
      chip.replaceChildren(face(emotion), `Face ${index + 1}`);
    });
  }

  // Once a second, and when the state changes.
  draw() {
    const { camera } = this;
    const { word, why } = camera.health();
    this.state.textContent = why && word === "Falling behind" ? `${word}: ${why}` : word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
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
