// What a camera saw in a day: who entered, and which steady labels showed.
import { LANES, WIRE_INDEX } from "./emotions.js";

/**
 * `entered`: how many; `emotion_ms`: for how long each steady label showed, in the order of WIRE.
 * @typedef {{ entered: number, emotion_ms: number[] }} Today
 */

/**
 * Shares of the time in which a label showed, in the order of LANES; null without any.
 * @param {number[]} emotion_ms
 */
export function sharesOf(emotion_ms) {
  const total = emotion_ms.reduce((sum, ms) => sum + ms, 0);
  return total ? WIRE_INDEX.map((i) => emotion_ms[i] / total) : null;
}

/**
 * The sum over points of a trend.
 * @param {{ people: Today | null }[]} points
 * @returns {Today}
 */
export function sumOf(points) {
  const sum = { entered: 0, emotion_ms: LANES.map(() => 0) };
  for (const { people } of points) {
    if (!people) continue;
    sum.entered += people.entered;
    people.emotion_ms.forEach((ms, i) => { sum.emotion_ms[i] += ms; });
  }
  return sum;
}
