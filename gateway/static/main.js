// Start of the page: the legend, the keys, the wall of cameras.
import { App } from "./app.js";
import { byId } from "./dom.js";
import { LANES, face } from "./emotions.js";
import { listenToKeys } from "./keyboard.js";

byId("legend").append(...LANES.map((name) => {
  const item = document.createElement("li");
  item.append(face(name), name);
  return item;
}));

listenToKeys(byId("cameras"), byId("detail"));
new App().start();
