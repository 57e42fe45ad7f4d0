// Access to the gateway: addresses, JSON, headers.

const ANSWERS_WITHIN_MS = 30000;

/**
 * Absolute, because a page that was opened with a password in its address may not fetch relatively. The
 * page may lie in a folder, behind a proxy.
 * @param {string} path
 */
export const url = (path) => new URL(path, new URL(".", location.origin + location.pathname));
/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {string} path
 * @returns {Promise<any>} as docs/gateway.md describes it
 */
export async function fetchJson(path) {
  // A dead connection or a gateway that hangs does not answer at all.
  const answer = await fetch(url(path), { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

export async function signOut() {
  await fetch(url("sign-out"), { method: "POST" });
  location.reload();
}

/**
 * A header of the answer; null without it or without an answer.
 * @param {string} path
 * @param {string} name
 * @returns {Promise<string | null>}
 */
export async function fetchHeader(path, name) {
  const answer = await fetch(url(path), { method: "HEAD" }).catch(() => null);
  return answer?.headers.get(name) ?? null;
}
