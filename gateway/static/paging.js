// Pages of the wall in full screen.

/**
 * Cameras that need attention stay first on every page, on up to half of it; the others take turns.
 * @template T
 * @param {T[]} all in order
 * @param {(item: T) => boolean} needsAttention
 * @param {number} size items on a page
 * @param {number} page any integer: pages are circular
 * @returns {{ shown: T[], number: number, pages: number }} `number` from 0
 */
export function pageOf(all, needsAttention, size, page) {
  const staying = all.filter(needsAttention).slice(0, Math.floor(size / 2));
  const others = all.filter((item) => !staying.includes(item));
  const room = size - staying.length;
  const pages = Math.max(1, Math.ceil(others.length / room));
  const number = ((page % pages) + pages) % pages;
  return { shown: [...staying, ...others.slice(number * room, (number + 1) * room)], number, pages };
}

/**
 * Columns and rows in which so many cells fill a screen.
 * @param {number} cells
 * @param {boolean} isPortrait
 */
export function shapeOf(cells, isPortrait) {
  const long = Math.max(1, Math.ceil(Math.sqrt(cells)));
  const short = Math.max(1, Math.ceil(cells / long));
  return isPortrait ? { columns: short, rows: long } : { columns: long, rows: short };
}
