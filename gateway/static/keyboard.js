// Keys: arrows walk the grid and from camera to camera, Escape goes back.

export function listenToKeys(list, section) {
  addEventListener("keydown", (press) => {
    if (press.altKey || press.ctrlKey || press.metaKey) return;
    if (section.hidden) walk(list, press);
    else step(section, press);
  });
}

function step(section, press) {
  const selector = { Escape: ".back", ArrowLeft: ".previous", ArrowRight: ".next" }[press.key];
  const link = selector && section.querySelector(selector);
  if (!link || link.closest("[hidden]")) return;
  press.preventDefault();
  link.click();
}

function walk(list, press) {
  const links = [...list.querySelectorAll("a")];
  const index = links.indexOf(document.activeElement);
  if (index < 0) return;
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[press.key];
  if (!by || !links[index + by]) return;
  press.preventDefault();
  links[index + by].focus();
}
