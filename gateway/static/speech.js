// Announcements for screen readers: states, and in the large view a lasting change of mood.
import { byId } from "./dom.js";
import { ordered, shownBy } from "./faces.js";

const EVERY_MS = 6000; // it needs time to say it

const announcer = byId("announcer");
let spoken = { at: 0, mood: "" };

/** @param {string} text */
export function say(text) {
  announcer.textContent = text;
}

/** @param {import("./cameras.js").Camera} camera */
export function sayMood(camera) {
  const first = camera.newest && ordered(camera.newest)[0];
  const mood = first && shownBy(first);
  if (!mood || mood === spoken.mood || Date.now() - spoken.at < EVERY_MS) return;
  spoken = { at: Date.now(), mood };
  say(`${camera.name}: ${mood}`);
}
