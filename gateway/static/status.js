// The line above the cameras: the link, the totals, a banner for what they have in common.
import { commonCause } from "./banner.js";
import { cameras } from "./cameras.js";
import { byId, find } from "./dom.js";
import { link } from "./link.js";
import { say } from "./speech.js";

/**
 * Whether anything changed.
 * @param {Partial<import("./link.js").Link>} change
 * @returns {boolean}
 */
export function changeLink(change) {
  const before = JSON.stringify(link);
  Object.assign(link, change);
  if (JSON.stringify(link) === before) return false;
  const [state, text] = !link.redis ? ["away", "No data from Redis"]
    : link.gateway === null ? ["connecting", "Connecting"]
      : link.gateway ? ["live", "Connected"] : ["away", "Reconnecting"];
  byId("link").dataset.state = state;
  find(byId("link"), ":last-child").textContent = text;
  return true;
}

// The number of cameras in each state.
export function drawTotals() {
  const all = knownCameras();
  const counts = new Map();
  for (const camera of all) {
    const word = camera.health().word.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const states = [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
  byId("totals").textContent = `${all.length} camera${all.length === 1 ? "" : "s"}${states && `: ${states}`}`;
  drawBanner();
}

export function drawBanner() {
  const text = commonCause(link, knownCameras());
  if (byId("banner").textContent === text) return;
  byId("banner").textContent = text;
  byId("banner").hidden = !text;
  if (text) say(text);
}

const knownCameras = () => [...cameras.values()].filter((camera) => camera.status);
