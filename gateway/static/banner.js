// One line above the cameras: what they have in common that a viewer must know.

/** @typedef {import("./link.js").Health} Health */

/**
 * `link` says what can be reached; `all` are the known cameras.
 * @param {import("./link.js").Link} link
 * @param {import("./cameras.js").Camera[]} all
 */
export function commonCause(link, all) {
  if (!link.redis) return "No data from Redis: the gateway cannot read it. What is shown is old.";
  if (link.gateway === false) return "The gateway cannot be reached. What is shown is old.";
  if (link.list) return `The list of cameras cannot be loaded: ${link.list}. The page tries again.`;
  const running = all.map((camera) => camera.health()).filter(({ word }) => word !== "Ended");
  return ofAnalysis(running) || ofCapture(running);
}

/**
 * What is wrong with the workers. It shows in the cameras that are not down.
 * @param {Health[]} running
 */
function ofAnalysis(running) {
  const up = running.filter(({ word }) => word !== "Down");
  const [first] = up;
  if (!first || up.some(({ word }) => word !== first.word)) return "";
  const [is, has, them] = up.length === 1 ? ["is", "has", "it"] : ["are", "have", "them"];
  const which = up.length < running.length ? `${up.length} of ${running.length} cameras` : every(running);
  if (first.word === "Not analysed") return `No worker is running: ${lowered(which)} ${has} no one to analyse ${them}.`;
  if (first.word === "Falling behind") return `${which} ${is} falling behind: the workers do not keep up.`;
  return "";
}

/**
 * Several cameras, and all of them down.
 * @param {Health[]} running
 */
function ofCapture(running) {
  if (running.length < 2 || running.some(({ word }) => word !== "Down")) return "";
  const [{ why }] = running;
  const common = running.every((health) => health.why === why);
  return `${every(running)} are down${common ? `: ${why.replace(/\.$/, "")}` : ""}.`;
}

/** @param {Health[]} running */
const every = (running) => (running.length === 1 ? "The camera" : `All ${running.length} cameras`);

/** @param {string} text */
const lowered = (text) => text[0].toLowerCase() + text.slice(1);
