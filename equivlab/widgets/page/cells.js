// @ts-check
// Hexagons of cells in their arrays of axial coordinates, as `equivlab.groups` has them: how they
// are drawn, found under a pointer, and turned. `page/cells.py` draws the same pictures.

export const ROW = Math.sqrt(3) / 2; // from one row of cells to the next
export const RASTER = 132; // dots on a side of a drawn hexagon

/** Half the side of the picture of a hexagon, which ends half a cell beyond the inscribed circle.
 * @param {number} radius
 */
export const halfOf = (radius) => ROW * radius + 0.5;

/** The place in the array of the cell around a point; −1 outside.
 * @param {number} x to the right, in distances between cells
 * @param {number} y downwards
 * @param {number} radius
 */
export function cellAt(x, y, radius) {
  const r = y / ROW;
  const cube = [x - r / 2, r, -x - r / 2];
  const near = cube.map(Math.round);
  const off = near.map((value, n) => Math.abs(value - cube[n]));
  const worst = off.indexOf(Math.max(...off)); // follows from the two others
  near[worst] -= near[0] + near[1] + near[2];
  if (near.some((value) => Math.abs(value) > radius)) return -1;
  return (near[1] + radius) * (2 * radius + 1) + near[0] + radius;
}

/** For each dot of a picture of a hexagon the place of its cell, or −1.
 * @param {number} size of the array
 * @param {number} side of the picture
 * @param {number} half what of the hexagon it shows, from the middle
 */
export function rasterOf(size, side = RASTER, half = halfOf((size - 1) / 2)) {
  const radius = (size - 1) / 2;
  const at = (/** @type {number} */ n) => (((n + 0.5) * 2) / side - 1) * half;
  return Int32Array.from({ length: side * side }, (_, dot) =>
    cellAt(at(dot % side), at(Math.floor(dot / side)), radius),
  );
}

/** Hexagons turned counter-clockwise after a mirror or none, linear on the triangles between three
 * centres, zeros outside; as `equivlab.fields.cells.rotate_hexagons`.
 * @param {Float32Array} values
 * @param {number} size
 * @param {number} turn
 * @param {boolean} mirror
 */
export function turnedCells(values, size, turn, mirror) {
  const radius = (size - 1) / 2;
  const out = new Float32Array(values.length);
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  const outside = (/** @type {number} */ q, /** @type {number} */ r) =>
    Math.max(Math.abs(q), Math.abs(r), Math.abs(q + r)) > radius;
  const at = (/** @type {number} */ q, /** @type {number} */ r) =>
    outside(q, r) ? 0 : values[(r + radius) * size + (mirror ? -q - r : q) + radius];
  for (let r = -radius; r <= radius; r++) {
    for (let q = -radius; q <= radius; q++) {
      if (outside(q, r)) continue;
      const [right, up] = [q + r / 2, -ROW * r];
      const down = -(c * up - s * right) / ROW;
      const across = c * right + s * up - down / 2;
      const [q0, r0] = [Math.floor(across + 1e-6), Math.floor(down + 1e-6)];
      const [a, b] = [Math.max(0, across - q0), Math.max(0, down - r0)];
      const corner = a + b > 1 ? at(q0 + 1, r0 + 1) : at(q0, r0);
      const [right1, down1] = a + b > 1 ? [1 - b, 1 - a] : [a, b];
      out[(r + radius) * size + q + radius] =
        Math.abs(1 - a - b) * corner + right1 * at(q0 + 1, r0) + down1 * at(q0, r0 + 1);
    }
  }
  return out;
}
