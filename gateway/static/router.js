// The address: #/ is the grid, #/lobby one camera.

/**
 * The name in the address, empty for the grid. It may be malformed.
 * @param {string} hash
 */
export function routedName(hash) {
  try {
    return decodeURIComponent(hash.replace(/^#\/?/, ""));
  } catch {
    return "";
  }
}

/**
 * The cameras before and after one in a list of names, which is circular.
 * @param {string} name
 * @param {string[]} names
 * @returns {{ previous: string, next: string }}
 */
export function neighboursOf(name, names) {
  const index = names.indexOf(name);
  return { previous: names[(index - 1 + names.length) % names.length], next: names[(index + 1) % names.length] };
}
