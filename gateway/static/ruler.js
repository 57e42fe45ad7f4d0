// Widths of texts, without asking the page for its layout.

const MOST_WIDTHS = 2000;

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;
/** @type {Map<string, number>} */
const widths = new Map();

/**
 * The width of a label's text in pixels; it is semi-bold.
 * @param {string} text
 * @param {number} fontPx
 */
export function widthOf(text, fontPx) {
  const key = `${fontPx} ${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return Infinity;
  ruler.font = `600 ${fontPx}px ${getComputedStyle(document.body).fontFamily}`;
  const width = Math.ceil(ruler.measureText(text).width);
  if (widths.size > MOST_WIDTHS) widths.clear();
  widths.set(key, width);
  return width;
}
