// Widths of texts, without asking the page for its layout.

const MOST_WIDTHS = 2000;

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;
/** @type {Map<string, number>} */
const widths = new Map();

/**
 * The width of a text in pixels. Labels of tracks are semi-bold.
 * @param {string} text
 * @param {number} fontPx
 * @param {number} weight as in CSS
 */
export function widthOf(text, fontPx, weight = 600) {
  const key = `${weight} ${fontPx} ${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return Infinity;
  ruler.font = `${weight} ${fontPx}px ${getComputedStyle(document.body).fontFamily}`;
  const width = Math.ceil(ruler.measureText(text).width);
  if (widths.size > MOST_WIDTHS) widths.clear();
  widths.set(key, width);
  return width;
}
