// What the page and the gateway can reach, and what follows from it for what is shown of a camera.

/** @typedef {import("./messages.js").CameraStatus} CameraStatus */
/**
 * `gateway`: whether the event stream is open, null before it has opened or failed; `redis`: whether the
 * gateway can read Redis; `list`: why no list of cameras could be loaded yet, empty once one was.
 * @typedef {{ gateway: boolean | null, redis: boolean, list: string }} Link
 */
/** @typedef {{ word: string, why: string, stale: boolean }} Health */

/** @type {Link} */
export const link = { gateway: null, redis: true, list: "" };

/** Whether what the page knows is current. */
export const isLinked = () => link.redis && link.gateway === true;

/**
 * The state of a camera as a word, its reason, and whether the page shows old data of it. The gateway
 * decides it; the page adds that it cannot reach the gateway, or the gateway Redis.
 * @param {CameraStatus | null} status
 * @returns {Health}
 */
export function healthOf(status) {
  if (!link.redis) return { word: "No data", why: "Redis cannot be read", stale: true };
  if (link.gateway === false) return { word: "Unknown", why: "the gateway cannot be reached", stale: true };
  const { verdict, reason, stale } = status ?? { verdict: "live", reason: "", stale: true };
  return { word: verdict[0].toUpperCase() + verdict.slice(1), why: reason, stale: stale || !isLinked() };
}
