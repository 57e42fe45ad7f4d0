// Typed access to the elements of the page.

/**
 * A fixed element of the page.
 * @param {string} id
 */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * The first element below `root` that matches; the page's templates contain it.
 * @param {ParentNode} root
 * @param {string} selector
 */
export const find = (root, selector) => /** @type {HTMLElement} */ (root.querySelector(selector));

/**
 * A link below `root` that matches.
 * @param {ParentNode} root
 * @param {string} selector
 */
export const findLink = (root, selector) => /** @type {HTMLAnchorElement} */ (root.querySelector(selector));

/**
 * A canvas below `root` that matches.
 * @param {ParentNode} root
 * @param {string} selector
 */
export const findCanvas = (root, selector) => /** @type {HTMLCanvasElement} */ (root.querySelector(selector));

/**
 * A copy of a template's content.
 * @param {string} id
 */
export function cloned(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true));
}

/**
 * A new element with a text.
 * @param {string} kind
 * @param {string} text
 */
export function textOf(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}

/**
 * Set a text unless it is there: a new one costs the browser a layout.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} isHidden
 */
export function setHidden(element, isHidden) {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/**
 * @param {Element} element
 * @param {string} name of a class
 * @param {boolean} isOn
 */
export function toggle(element, name, isOn) {
  if (element.classList.contains(name) !== isOn) element.classList.toggle(name, isOn);
}

/**
 * Children in an order. One that is in its place is not moved, and what has the focus keeps it.
 * @param {HTMLElement} parent
 * @param {Element[]} children
 */
export function reorder(parent, children) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
  if (focused !== document.activeElement && parent.contains(focused)) focused?.focus({ preventScroll: true });
}
