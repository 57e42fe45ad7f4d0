// A camera in the grid.
import { WIRE, face, percent } from "./emotions.js";
import { drawRibbon } from "./paint.js";
import { PictureView, describe } from "./picture.js";

// Frames per second, so that a camera of one picture in three seconds does not have none.
export const rate = (fps) => `${fps.toFixed(fps < 1 ? 2 : 1)} fps`;

const template = document.getElementById("tile-template");

export class Tile {
  constructor(camera, withPictures) {
    this.camera = camera;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.link = this.element.querySelector("a");
    this.link.href = `#/${camera.name}`;
    this.element.dataset.camera = camera.name;
    this.element.querySelector("h2").textContent = camera.name;
    this.state = this.element.querySelector(".state");
    this.mood = this.element.querySelector(".mood");
    this.figures = this.element.querySelector(".figures");
    this.ribbon = this.element.querySelector(".ribbon");
    this.picture = new PictureView(this.element.querySelector(".picture"), camera, { withPictures });
    this.picture.draw();
  }

  drawPicture() {
    this.picture.draw();
  }

  // Everything but the picture: once a second, and when the state changes.
  draw() {
    const { camera } = this;
    const { word, why, stale } = camera.health();
    this.state.textContent = word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    const latency = camera.median((event) => event.latency.total_ms);
    const parts = !stale ? [rate(camera.fps())] : word === "Live" ? [why] : [];
    if (latency !== null && !stale) parts.push(`${Math.round(latency)} ms`);
    this.figures.textContent = parts.join(" · ");
    const lately = camera.recentShares();
    const summary = drawMood(this.mood, lately, camera);
    drawRibbon(this.ribbon, camera.seconds, camera.now());
    this.ribbon.setAttribute("aria-label", `Emotions of the last five minutes. ${summary}`);
    this.link.setAttribute("aria-label", `${word}. ${describe(camera.name, camera.newest, stale)}`);
  }
}

function drawMood(element, lately, camera) {
  if (!lately) {
    const nothing = camera.analysed() ? "No face in the last minute" : "Nothing analysed in the last minute";
    element.textContent = camera.historyUpTo !== null ? nothing : "";
    delete element.dataset.text;
    return element.textContent;
  }
  const most = lately.indexOf(Math.max(...lately));
  const text = `mostly ${WIRE[most]}`;
  if (element.dataset.text !== text) {
    element.replaceChildren(face(WIRE[most]), text);
    element.dataset.text = text;
  }
  return `In the last minute ${text}, ${percent(lately[most])}`;
}
