// One camera, large: its picture, each face's probabilities as bars, its last minutes as a chart.
import { MEDIAN_OF, SPAN_S } from "./cameras.js";
import { LANES, WIRE_INDEX, face, percent } from "./emotions.js";
import { drawChart, secondAt } from "./paint.js";
import { PictureView, ordered } from "./picture.js";
import { rate } from "./tile.js";

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
    this.canvas.addEventListener("pointermove", ({ offsetX }) => {
      this.#point(secondAt(this.canvas, camera.now(), offsetX));
    });
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    this.canvas.addEventListener("blur", () => this.#point(null));
    this.canvas.addEventListener("keydown", (press) => this.#step(press));
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
    const { word, why } = camera.health();
    this.state.textContent = why && word === "Falling behind" ? `${word}: ${why}` : word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    this.#drawFacts();
    this.#drawChart();
    const lately = camera.recentShares(300);
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
      ["Analysed, last 10 s", `${rate(this.camera.fps())} of ${rate(status?.fps ?? 0)}`],
      ["Worker", status?.owner ?? "none"],
      ["Backlog", String(status?.backlog ?? "unknown")],
    ];
    if (newest) {
      const median = (of) => {
        const ms = this.camera.median(({ latency }) => of(latency));
        return ms.toFixed(ms < 10 ? 1 : 0);
      };
      const parts = ["decode_ms", "detect_ms", "classify_ms"].map((part) => median((latency) => latency[part]));
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

  // Keys move from one second with a face to the next.
  #step(press) {
    const seconds = this.camera.seconds.filter((second) => second.faces);
    const index = this.#cursor === null
      ? seconds.length
      : seconds.findLastIndex((second) => second.at <= this.#cursor);
    const last = seconds.length - 1;
    const target = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last }[press.key];
    if (target === undefined) return;
    press.preventDefault();
    press.stopPropagation(); // elsewhere arrows lead to other cameras
    if (seconds.length) this.#point(seconds[Math.min(Math.max(target, 0), last)].at);
  }

  // The second that is read out; null for none.
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
    this.canvas.setAttribute("aria-valuenow", Math.max(-SPAN_S, -ago));
  }
}

function describeSecond(second) {
  const [name, mean] = LANES.map((lane, i) => [lane, second.sums[WIRE_INDEX[i]] / second.faces])
    .sort((a, b) => b[1] - a[1])[0];
  const time = new Date(second.at * 1000).toLocaleTimeString();
  const faces = second.faces / second.events;
  const count = `${Number(faces.toFixed(1))} face${faces === 1 ? "" : "s"} a picture`;
  return `${time}: ${name} ${percent(mean)}, ${count}`;
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
