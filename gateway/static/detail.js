// One camera, large: its picture, each face's probabilities as bars, its last minutes as a chart.
import { LANES, WIRE_INDEX, face, percent } from "./emotions.js";
import { drawChart, secondAt } from "./paint.js";
import { PictureView, ordered } from "./picture.js";

const template = document.getElementById("detail-template");
const BARS_EVERY_MS = 200; // faster than this nobody reads

export class Detail {
  #chosen = 0;
  #barsDrawn = 0;
  #cursor = null;

  constructor(section, camera, neighbours, withPictures) {
    this.camera = camera;
    section.replaceChildren(template.content.cloneNode(true));
    const find = (selector) => section.querySelector(selector);
    this.title = find("h1");
    this.title.textContent = camera.name;
    this.state = find(".state");
    this.chips = find(".chips");
    this.bars = find(".bars");
    this.noface = find(".noface");
    this.facts = find(".facts");
    this.canvas = find(".lanes canvas");
    this.readout = find(".readout");
    find(".previous").href = `#/${neighbours.previous}`;
    find(".next").href = `#/${neighbours.next}`;
    find(".steps").hidden = neighbours.next === camera.name;
    for (const format of ["csv", "jsonl"]) {
      find(`.${format}`).href = `/api/cameras/${camera.name}/export?format=${format}`;
    }
    find(".lanes ul").append(...LANES.map(laneLabel));
    this.bars.append(...LANES.map(bar));
    this.picture = new PictureView(find(".picture"), camera, { numbered: true, withPictures });
    this.canvas.addEventListener("pointermove", (move) => this.#point(move.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
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
    if (!chosen) return;
    for (const row of this.bars.children) {
      const share = chosen.probabilities[row.dataset.emotion];
      row.classList.toggle("first", row.dataset.emotion === chosen.emotion);
      row.querySelector(".fill").style.width = `${100 * share}%`;
      row.querySelector(".percent").textContent = percent(share);
      row.querySelector(".track").setAttribute("aria-valuenow", Math.round(100 * share));
    }
  }

  #drawChips(faces) {
    const count = faces.length > 1 ? faces.length : 0;
    while (this.chips.children.length > count) this.chips.lastChild.remove();
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
    [...this.chips.children].forEach((chip, index) => {
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
    const { word } = camera.verdict();
    this.state.textContent = word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    this.#drawFacts();
    drawChart(this.canvas, camera.seconds, this.#cursor);
    const lately = camera.lately(300);
    const shares = lately
      ? LANES.map((name, i) => [name, lately[WIRE_INDEX[i]]]).filter(([, share]) => share >= 0.005)
      : [];
    const text = shares.map(([name, share]) => `${name} ${percent(share)}`).join(", ");
    this.canvas.setAttribute("aria-label", `Faces of the last five minutes: ${text || "none"}`);
    this.canvas.dataset.seconds = camera.seconds.length;
  }

  #drawFacts() {
    const { newest, status } = this.camera;
    const rows = [
      ["Analysed", `${this.camera.fps().toFixed(1)} of ${(status?.fps ?? 0).toFixed(1)} fps`],
      ["Worker", status?.owner ?? "none"],
      ["Waiting frames", String(status?.lag ?? "unknown")],
    ];
    if (newest) {
      const { queue_ms, wait_ms, decode_ms, detect_ms, classify_ms } = newest.latency;
      const round = (ms) => ms.toFixed(ms < 10 ? 1 : 0);
      rows.unshift(["Capture to event", `${Math.round(this.camera.latency())} ms`]);
      rows.splice(
        1, 0,
        ["Queue and waiting", `${round(queue_ms + wait_ms)} ms`],
        ["Decode, detect, classify", `${[decode_ms, detect_ms, classify_ms].map(round).join(" + ")} ms`],
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

  #point(pixel) {
    this.#cursor = pixel;
    drawChart(this.canvas, this.camera.seconds, pixel);
    const second = pixel === null ? null : secondAt(this.canvas, this.camera.seconds, pixel);
    if (!second) {
      this.readout.textContent = "";
      return;
    }
    const [name, mean] = LANES.map((lane, i) => [lane, second.sums[WIRE_INDEX[i]] / second.faces])
      .sort((a, b) => b[1] - a[1])[0];
    const time = new Date(second.at * 1000).toLocaleTimeString();
    this.readout.textContent = `${time}: ${name} ${percent(mean)}, ${second.faces} faces in ${second.events} pictures`;
  }
}

function cell(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}

function laneLabel(name) {
  const row = document.createElement("li");
  row.append(face(name), cell("span", name));
  return row;
}

function bar(name) {
  const row = document.createElement("li");
  row.dataset.emotion = name;
  const track = document.createElement("div");
  track.className = "track";
  for (const [key, value] of [["role", "meter"], ["aria-label", name], ["aria-valuemin", 0], ["aria-valuemax", 100]]) {
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
