// The page's fixed elements.
export const byId = (id) => document.getElementById(id);
