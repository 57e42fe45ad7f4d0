// A camera in the grid.
import { WIRE, face, percent } from "./emotions.js";
import { drawRibbon } from "./paint.js";
import { PictureView, describe } from "./picture.js";

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
    const { word } = camera.verdict();
    this.state.textContent = word;
    this.state.dataset.verdict = word.toLowerCase();
    this.picture.drawState();
    const latency = camera.latency();
    const parts = [`${camera.fps().toFixed(1)} fps`];
    if (latency !== null) parts.push(`${Math.round(latency)} ms`);
    if (camera.status?.owner === null) parts.push("no worker");
    this.figures.textContent = parts.join(" · ");
    const lately = camera.lately();
    const summary = drawMood(this.mood, lately, camera.counted !== null);
    drawRibbon(this.ribbon, camera.seconds, camera.now());
    this.ribbon.setAttribute("aria-label", `Emotions of the last five minutes. ${summary}`);
    this.link.setAttribute("aria-label", `${word}. ${describe(camera.name, camera.newest)}`);
  }
}

function drawMood(element, lately, loaded) {
  if (!lately) {
    element.textContent = loaded ? "No face in the last minute" : "";
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
