// Ids of frames and events: "<milliseconds>-<n>"; as texts they do not sort.

/** @param {string} id */
export const timeOf = (id) => Number(id.split("-")[0]);

/**
 * @param {string} a
 * @param {string} b
 * @returns {number} positive if a is later
 */
export const later = (a, b) => {
  const [am, an] = a.split("-").map(Number);
  const [bm, bn] = b.split("-").map(Number);
  return am - bm || an - bn;
};
