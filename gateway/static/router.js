// The address: #/ is the grid, #/lobby one camera.

// The name in the address, empty for the grid. Anybody may write there.
export function routedName(hash) {
  try {
    return decodeURIComponent(hash.replace(/^#\/?/, ""));
  } catch {
    return "";
  }
}

// The cameras before and after one in a list of names, round about.
export function neighboursOf(name, names) {
  const index = names.indexOf(name);
  return { previous: names.at(index - 1), next: names[(index + 1) % names.length] };
}
