// The eight emotions: their order on the page (pleasant above, unpleasant below), and their faces.

export const LANES = [
  "happiness", "surprise", "neutral", "contempt", "sadness", "fear", "disgust", "anger",
];

// The order in which the API lists counts and means.
export const WIRE = [
  "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise",
];
export const WIRE_INDEX = LANES.map((name) => WIRE.indexOf(name));

const EYES = [["dot", "M7.2 10a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0-2.6 0z"], ["dot", "M14.2 10a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0-2.6 0z"]];
/** @type {Record<string, string[][]>} */
const FEATURES = {
  happiness: [...EYES, ["line", "M7.3 14.2c.9 2.6 2.6 3.8 4.7 3.8s3.8-1.2 4.7-3.8"]],
  surprise: [...EYES, ["line", "M6.8 6.9q1.6-1.4 3.2-.3M14 6.6q1.6-1.1 3.2.3"], ["line", "M12 13.9a2.2 2.4 0 1 0 .01 0z"]],
  neutral: [...EYES, ["line", "M8 16h8"]],
  contempt: [["line", "M7 10h3M14 10h3"], ["line", "M8 16.4h4.2c2 0 3.2-.8 3.9-2.3"]],
  sadness: [...EYES, ["line", "M6.6 8.2l3-1.5M17.4 8.2l-3-1.5"], ["line", "M8 17.6c.9-1.9 2.3-2.7 4-2.7s3.1.8 4 2.7"]],
  fear: [...EYES, ["line", "M6.5 7.7l3.2-1.3M17.5 7.7l-3.2-1.3"], ["line", "M7.2 16.6l1.6-1.5 1.6 1.5 1.6-1.5 1.6 1.5 1.6-1.5 1.6 1.5"]],
  disgust: [["line", "M7 9.3l3 1.1M17 9.3l-3 1.1"], ["line", "M7.5 15h9M11.6 15v1.6a2 2 0 0 0 4 0V15"]],
  anger: [...EYES, ["line", "M6.4 6.6l3.7 1.9M17.6 6.6l-3.7 1.9"], ["line", "M8.3 17.2c.9-1.3 2.2-1.9 3.7-1.9s2.8.6 3.7 1.9"]],
};

const SVG = "http://www.w3.org/2000/svg";

/**
 * A drawn face, decoration beside the emotion's name.
 * @param {string} emotion
 */
export function face(emotion) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "face");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.emotion = emotion;
  const head = document.createElementNS(SVG, "circle");
  for (const [name, value] of [["cx", "12"], ["cy", "12"], ["r", "11"], ["class", "head"]]) {
    head.setAttribute(name, value);
  }
  svg.append(head);
  for (const [kind, d] of FEATURES[emotion]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", kind);
    svg.append(path);
  }
  return svg;
}

/** @param {string} emotion */
export function color(emotion) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${emotion}`).trim();
}

/** @param {number} share */
export const percent = (share) => `${Math.round(share * 100)} %`;
