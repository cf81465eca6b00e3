// @ts-check

/** Where everything of FilterOrbit stands, for a canvas of a given width.
 * @param {number} width
 * @param {number} elements
 * @param {number} turns of the group
 * @param {number} lines of numbers
 */
export function arrangeOrbit(width, elements, turns = 4, lines = 2) {
  const narrow = width < 620;
  const side = narrow ? Math.min(150, (width - 40) / 2) : 170;
  const left = narrow ? 8 : side + 44;
  const few = [4, 3, 5].find((n) => turns % n === 0) ?? 4; // in a row of a narrow page
  const wide = elements === 8 && width >= 820 ? 8 : Math.min(8, turns); // P4M stands in one row
  const columns = Math.max(2, narrow ? Math.min(few, turns) : wide);
  const cell = Math.min(190, (width - left - 8) / columns - 8);
  const top = narrow ? side + 84 + 22 * lines : 8;
  const block = 2 * cell + 72;
  const right = top + block * Math.ceil(elements / columns) + 26;
  const height = Math.max(right, narrow ? 0 : 2 * side + 124 + 22 * lines);
  return { width, narrow, side, left, columns, cell, top, block, height };
}
