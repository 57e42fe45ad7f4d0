// One line above the cameras: what they have in common that a viewer must know.

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
  const first = running[0];
  if (!first || running.some(({ word }) => word !== first.word)) return "";
  const every = running.length === 1 ? "The camera" : `All ${running.length} cameras`;
  const [is, has] = running.length === 1 ? ["is", "has"] : ["are", "have"];
  if (first.word === "Not analysed") {
    return `No worker is running: ${every.toLowerCase()} ${has} no one to analyse ${running.length === 1 ? "it" : "them"}.`;
  }
  if (first.word === "Falling behind") {
    return `${every} ${is} falling behind: the workers do not keep up.`;
  }
  if (first.word !== "Down" || running.length === 1) return "";
  const common = running.every(({ why }) => why === first.why);
  return `${every} ${is} down${common ? `: ${first.why.replace(/\.$/, "")}` : ""}.`;
}
