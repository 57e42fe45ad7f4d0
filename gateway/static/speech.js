// Announcements for screen readers: states, and in the large view a lasting change of mood.
import { byId } from "./dom.js";
import { ordered, shownBy } from "./faces.js";

const EVERY_MS = 6000; // it needs time to say it

let spoken = { at: -Infinity, camera: "", mood: "" };

/** @param {string} text */
export function say(text) {
  byId("announcer").textContent = text;
}

/**
 * Of the large view, once a second. What is no longer true is not said.
 * @param {import("./cameras.js").Camera} camera
 * @param {number} now milliseconds
 */
export function sayMood(camera, now = performance.now()) {
  const first = camera.newest && !camera.health().stale && ordered(camera.newest)[0];
  const mood = first && shownBy(first);
  if (!mood || now - spoken.at < EVERY_MS) return;
  if (mood === spoken.mood && camera.name === spoken.camera) return;
  spoken = { at: now, camera: camera.name, mood };
  say(`${camera.title}: ${mood}`);
}
