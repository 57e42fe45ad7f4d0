// What every drawing needs: a canvas as large as it is shown, and the colours of the style sheet.

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ width: number, height: number }} size on the page
 * @returns {[CanvasRenderingContext2D, number, number]}
 */
export function sized(canvas, size = { width: canvas.clientWidth, height: canvas.clientHeight }) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(size.width * scale);
  const height = Math.round(size.height * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  return [context, size.width, size.height];
}

/** @param {string} name */
export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
