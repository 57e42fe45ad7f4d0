// Keys: arrows move in the grid and from camera to camera, Escape goes back.
import { findLink } from "./dom.js";

/**
 * @param {HTMLElement} list the grid of cameras
 * @param {HTMLElement} section the large view of one camera
 */
export function listenToKeys(list, section) {
  addEventListener("keydown", (press) => {
    if (press.altKey || press.ctrlKey || press.metaKey) return;
    // Lists and fields have a use of their own for arrows and Escape.
    if (/** @type {Element} */ (press.target).closest?.("select, input")) return;
    if (section.hidden) walk(list, press);
    else step(section, press);
  });
}

/**
 * @param {HTMLElement} section
 * @param {KeyboardEvent} press
 */
function step(section, press) {
  /** @type {Record<string, string>} */
  const selectors = { Escape: ".back", ArrowLeft: ".previous", ArrowRight: ".next" };
  const selector = selectors[press.key];
  const link = selector ? findLink(section, selector) : null;
  if (!link || link.closest("[hidden]")) return;
  press.preventDefault();
  link.click();
}

/**
 * @param {HTMLElement} list
 * @param {KeyboardEvent} press
 */
function walk(list, press) {
  const links = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(":scope > :not([hidden]) a")]);
  const index = links.findIndex((link) => link === document.activeElement);
  if (index < 0) return;
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const by = steps[press.key];
  if (!by || !links[index + by]) return;
  press.preventDefault();
  links[index + by].focus();
}
