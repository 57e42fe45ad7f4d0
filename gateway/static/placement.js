// Where the labels of faces go: on no face, on no other label, and within the picture.

/** @typedef {{ x: number, y: number, width: number, height: number }} Rect pixels */
/** @typedef {{ width: number, height: number }} Size */
/** @typedef {{ level: number, side: number, x: number, y: number }} Place */

const GAP = 5; // between a box, whose border is drawn outside too, and its label
// Sides of a box in pixels from which on it may have each level: words, number and icon, icon alone.
const LEAST_SIDE = [30, 20, 11];

/**
 * A place per face for the fullest of its labels that fits: above, below, left or right of its box. Large
 * faces come first. null: nothing fits, or the box is too small. A label stays on the side where it was
 * (`before`) as long as it fits there, so that it does not jump from picture to picture.
 * @param {Rect[]} boxes
 * @param {Size[][]} sizes per face the sizes of its labels, the fullest first
 * @param {Size} bounds of the picture
 * @param {(number | undefined)[]} [before] sides of the picture before
 * @returns {(Place | null)[]}
 */
export function placeLabels(boxes, sizes, bounds, before = []) {
  /** @type {(Place | null)[]} */
  const places = boxes.map(() => null);
  /** @type {Rect[]} */
  const taken = [...boxes];
  const area = (/** @type {number} */ i) => boxes[i].width * boxes[i].height;
  const order = boxes.map((_, i) => i).sort((a, b) => area(b) - area(a));
  for (const i of order) {
    const place = firstThatFits(boxes[i], sizes[i], bounds, taken, before[i] ?? 0);
    if (!place) continue;
    places[i] = place;
    taken.push({ x: place.x, y: place.y, ...sizes[i][place.level] });
  }
  return places;
}

/**
 * @param {Rect} box
 * @param {Size[]} sizes
 * @param {Size} bounds
 * @param {Rect[]} taken
 * @param {number} preferred side
 * @returns {Place | null}
 */
function firstThatFits(box, sizes, bounds, taken, preferred) {
  const side = Math.max(box.width, box.height);
  for (let level = 0; level < sizes.length; level += 1) {
    if (side < LEAST_SIDE[level]) continue;
    const spots = around(box, sizes[level]);
    for (let n = 0; n < spots.length; n += 1) {
      const at = n === 0 ? preferred : n <= preferred ? n - 1 : n;
      const spot = { ...spots[at], ...sizes[level] };
      if (isWithin(spot, bounds) && !taken.some((other) => overlap(spot, other))) {
        return { level, side: at, x: spot.x, y: spot.y };
      }
    }
  }
  return null;
}

/**
 * Places beside a box, the best first.
 * @param {Rect} box
 * @param {Size} size
 */
function around(box, { width, height }) {
  const [above, below] = [box.y - GAP - height, box.y + box.height + GAP];
  const [left, right] = [box.x - GAP - width, box.x + box.width + GAP];
  const [toLeft, middle] = [box.x + box.width - width, box.x + (box.width - width) / 2];
  return [
    { x: box.x, y: above }, { x: toLeft, y: above }, { x: middle, y: above },
    { x: box.x, y: below }, { x: toLeft, y: below }, { x: middle, y: below },
    { x: left, y: box.y }, { x: right, y: box.y },
    { x: left, y: box.y + box.height - height }, { x: right, y: box.y + box.height - height },
  ];
}

/**
 * @param {Rect} rect
 * @param {Size} bounds
 */
const isWithin = (rect, bounds) =>
  rect.x >= 0 && rect.y >= 0 && rect.x + rect.width <= bounds.width && rect.y + rect.height <= bounds.height;

/**
 * @param {Rect} a
 * @param {Rect} b
 */
export const overlap = (a, b) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
