// @ts-check
// The arithmetic of FilterOrbit: a filter's copies under a group, the maps they make of an image,
// and how far the law holds for them.

import { cellAt, turnedCells } from "../page/cells.js";
import { turned } from "../page/turned.js";

/** @typedef {number[] | Float32Array} Values */

/** Cross-correlation with a filter of k × k, zeros outside, of the same size.
 * @param {Values} image
 * @param {number} size
 * @param {Values} filter
 * @param {number} k
 */
export function correlate(image, size, filter, k) {
  const out = new Float32Array(size * size);
  const reach = (k - 1) / 2;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const weight = filter[(dy + reach) * k + dx + reach];
      if (weight === 0) continue;
      const left = Math.max(0, -dx);
      const right = Math.min(size, size - dx);
      for (let y = Math.max(0, -dy); y < Math.min(size, size - dy); y++) {
        const from = (y + dy) * size + dx;
        const to = y * size;
        for (let x = left; x < right; x++) out[to + x] += weight * image[from + x];
      }
    }
  }
  return out;
}

/** The sum of squares. @param {Values} values */
export const square = (values) => {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
};

/** The largest size of a number, not zero. @param {Values[]} grids */
export const largest = (grids) => {
  let most = 1e-12;
  for (const grid of grids) for (const value of grid) most = Math.max(most, Math.abs(value));
  return most;
};

/** A matrix, row after row, times a column. @param {Values} matrix @param {Values} column */
export const product = (matrix, column) => {
  const out = new Float32Array(matrix.length / column.length);
  for (let p = 0; p < out.length; p++) {
    for (let s = 0; s < column.length; s++) out[p] += matrix[p * column.length + s] * column[s];
  }
  return out;
};

/** Which pixels a map of a group has: the cells of a hexagon; of free turns the inscribed circle.
 * @param {number} size
 * @param {{ hexagons: boolean, resamples: boolean }} how
 */
export function seenOf(size, { hexagons, resamples }) {
  const middle = (size - 1) / 2;
  return Float32Array.from({ length: size * size }, (_, p) => {
    const [x, y] = [(p % size) - middle, Math.floor(p / size) - middle];
    if (hexagons) return Number(cellAt(x + y / 2, (Math.sqrt(3) / 2) * y, middle) >= 0);
    return Number(!resamples || Math.hypot(x, y) <= size / 2);
  });
}

/** How an element of the group moves the pixels of an image.
 * @typedef {object} Pixels
 * @property {number} size
 * @property {Int32Array[]} places of each element where each pixel comes from; −1: nowhere
 * @property {number} turns of the group
 * @property {boolean} hexagons
 * @property {Float32Array} seen 1 where a map has a pixel
 */

/** A grid acted on by an element. @param {Pixels} pixels @param {number} g @param {Float32Array} grid
 * @returns {Float32Array}
 */
export function act({ size, places, turns, hexagons, seen }, g, grid) {
  const from = places[g];
  const known = from.some((p) => p >= 0);
  if (known) return Float32Array.from(from, (p) => (p < 0 ? 0 : grid[p]));
  const turn = (2 * Math.PI * (g % turns)) / turns;
  const moved = (hexagons ? turnedCells : turned)(grid, size, turn, g >= turns);
  return moved.map((value, p) => value * seen[p]);
}

/** Copies, maps and errors, with the image acted on by element `g`.
 * @param {object} given
 * @param {Values} given.weights
 * @param {Float32Array} given.image
 * @param {Float32Array[]} given.moves of each element a matrix on the filter's numbers
 * @param {Pixels} given.pixels
 * @param {number[][]} given.products
 * @param {number} given.side
 * @param {number} g
 */
export function orbitOf({ weights, image, moves, pixels, products, side }, g) {
  const { size, seen } = pixels;
  const orbit = moves.map((matrix) => product(matrix, weights));
  /** @param {Float32Array} x */
  const mapsOf = (x) =>
    orbit.map((one) => correlate(x, size, one, side).map((value, p) => value * seen[p]));
  const rest = mapsOf(image);
  const maps = g === 0 ? rest : mapsOf(act(pixels, g, image));
  const wanted = rest.map((map) => (g === 0 ? map : act(pixels, g, map))); // wanted[h] belongs at gh
  /** @param {number} h @param {number} place */
  const off = (h, place) => square(wanted[h].map((value, p) => value - maps[place][p]));
  const all = wanted.reduce((sum, _, h) => sum + off(h, products[g][h]), 0);
  const norm = rest.reduce((sum, map) => sum + square(map), 0);
  /** @param {number} a @param {number} b */
  const ratio = (a, b) => (a ? Math.sqrt(a / b) : 0);
  const errors = [ratio(all, norm), ratio(off(0, 0), square(rest[0]))];
  return { orbit, maps, errors, limits: { orbit: largest(orbit), maps: largest(rest) } };
}

/** What resampling alone costs: there and back. @param {Pixels} pixels @param {number} g
 * @param {number} inverse @param {Float32Array} image
 */
export function resampling(pixels, g, inverse, image) {
  const back = act(pixels, inverse, act(pixels, g, image));
  const off = square(back.map((value, p) => value - image[p]));
  return off ? Math.sqrt(off / square(image)) : 0;
}
