// One camera, large: its picture, each face's probabilities as bars, its last minutes as a chart.
import { fetchHeader } from "./api.js";
import { MEDIAN_OF, SPAN_S, rate } from "./cameras.js";
import { cloned, find, findCanvas, findLink } from "./dom.js";
import { LANES, WIRE_INDEX, face, percent } from "./emotions.js";
import { drawChart, secondAt } from "./paint.js";
import { PictureView, ordered } from "./picture.js";

/** @typedef {import("./cameras.js").Camera} Camera */
/** @typedef {import("./cameras.js").Face} Face */
/** @typedef {import("./cameras.js").Latency} Latency */
/** @typedef {import("./cameras.js").Second} Second */

const BARS_EVERY_MS = 200; // faster changes cannot be read

export class Detail {
  #chosen = 0;
  #barsDrawn = 0;
  /** @type {number | null} */
  #cursor = null;

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
    this.canvas = findCanvas(section, ".lanes canvas");
    this.readout = find(section, ".readout");
    findLink(section, ".previous").href = `#/${neighbours.previous}`;
    findLink(section, ".next").href = `#/${neighbours.next}`;
    find(section, ".steps").hidden = neighbours.next === camera.name;
    for (const format of ["csv", "jsonl"]) {
      findLink(section, `.${format}`).href = `/api/cameras/${camera.name}/export?format=${format}`;
    }
    this.#showReach(find(section, ".reach"));
    find(section, ".lanes ul").append(...LANES.map(laneLabel));
    this.bars.append(...LANES.map(bar));
    this.picture = new PictureView(find(section, ".picture"), camera, { numbered: true, withPictures });
    this.canvas.addEventListener("pointermove", ({ offsetX }) => {
      this.#point(secondAt(this.canvas, camera.now(), offsetX));
    });
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    this.canvas.addEventListener("blur", () => this.#point(null));
    this.canvas.addEventListener("keydown", (press) => this.#step(press));
    this.drawPicture();
  }

  /**
   * How far back an export reaches now: to the oldest event that Redis keeps.
   * @param {HTMLElement} element
   */
  async #showReach(element) {
    const oldest = await fetchHeader(`/api/cameras/${this.camera.name}/export`, "X-Oldest-Event");
    const time = new Date(oldest ?? Number.NaN);
    if (!Number.isNaN(time.getTime())) element.textContent = `since ${time.toLocaleString()}`;
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
    this.#drawChart();
    const recent = camera.recentShares(SPAN_S) ?? WIRE_INDEX.map(() => 0);
    const shares = LANES.map((name, i) => ({ name, share: recent[WIRE_INDEX[i]] }));
    const text = shares.filter(({ share }) => share >= 0.005)
      .map(({ name, share }) => `${name} ${percent(share)}`).join(", ");
    this.canvas.setAttribute("aria-label", `Faces of the last five minutes: ${text || "none"}`);
    this.canvas.dataset.seconds = String(camera.seconds.length);
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

  /**
   * Keys move from one second with a face to the next.
   * @param {KeyboardEvent} press
   */
  #step(press) {
    const seconds = this.camera.seconds.filter((second) => second.faces);
    const cursor = this.#cursor;
    const index = cursor === null
      ? seconds.length
      : seconds.findLastIndex((second) => second.at <= cursor);
    const last = seconds.length - 1;
    /** @type {Record<string, number>} */
    const targets = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last };
    const target = targets[press.key];
    if (target === undefined) return;
    press.preventDefault();
    press.stopPropagation(); // elsewhere arrows lead to other cameras
    if (seconds.length) this.#point(seconds[Math.min(Math.max(target, 0), last)].at);
  }

  /**
   * The second that is read out; null for none.
   * @param {number | null} at
   */
  #point(at) {
    this.#cursor = at;
    this.#drawChart();
    const second = this.camera.seconds.find((each) => each.at === at && each.faces);
    this.readout.textContent = second ? describeSecond(second) : "";
    this.canvas.setAttribute("aria-valuetext", this.readout.textContent || "no moment chosen");
  }

  #drawChart() {
    const now = this.camera.now();
    drawChart(this.canvas, this.camera.seconds, now, this.#cursor);
    const ago = this.#cursor === null ? 0 : Math.max(0, Math.round(now / 1000 - this.#cursor));
    this.canvas.setAttribute("aria-valuenow", String(Math.max(-SPAN_S, -ago)));
  }
}

/** @param {Second} second */
function describeSecond(second) {
  const means = LANES.map((name, i) => ({ name, mean: second.sums[WIRE_INDEX[i]] / second.faces }));
  const { name, mean } = means.sort((a, b) => b.mean - a.mean)[0];
  const time = new Date(second.at * 1000).toLocaleTimeString();
  const faces = second.faces / second.events;
  const count = `${Number(faces.toFixed(1))} face${faces === 1 ? "" : "s"} a picture`;
  return `${time}: ${name} ${percent(mean)}, ${count}`;
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
