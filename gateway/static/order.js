// The order of names and titles, the same in each list: as people count, so that 2 comes before 10.

const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * @param {string} a
 * @param {string} b
 */
export const compareTexts = (a, b) => collator.compare(a, b);

/**
 * By title; of the same title by name.
 * @param {{ title: string, name: string }} a
 * @param {{ title: string, name: string }} b
 */
export const byTitle = (a, b) => compareTexts(a.title, b.title) || compareTexts(a.name, b.name);
