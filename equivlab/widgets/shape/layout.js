// @ts-check
// Where everything stands in the page of RotateShape.

import { budgetHeight } from "../page/budget.js";

/** @typedef {[number, number, number]} Square left, top, side */

const HEAD = 26; // height of a picture's title
const FOOT = 22; // and of the number below it

/** Where everything stands, for a page of a given width: squares [x, y, side].
 * @param {number} width
 * @param {number} views
 */
export function arrangeShapes(width, views) {
  const narrow = width < 640;
  const gap = 12;
  const side = Math.floor(narrow ? (width - gap) / 2 : Math.min(300, (width - 2 * gap) / 3));
  const row = side + HEAD + FOOT;
  const down = narrow ? 1 : 0;
  const left = narrow ? 0 : side + gap;
  const rows = Array.from({ length: views }, (_, n) => HEAD + (n + down) * row);
  /** @type {{ input: Square, out: Square[], back: Square[] }} */
  const boxes = {
    input: [0, HEAD, side],
    out: rows.map((y) => [left, y, side]),
    back: rows.map((y) => [left + side + gap, y, side]),
  };
  const words = narrow ? { x: side + gap, y: HEAD + 4 } : { x: 8, y: HEAD + side + 10 };
  const lines = 22 * (3 + views);
  const across = narrow ? width : views === 1 ? 3 * side + 2 * gap : side;
  const top = narrow ? (views + 1) * row + 24 : HEAD + side + 14 + lines + 24;
  const free = narrow || views === 1 ? 110 : Math.max(80, 2 * row - top - 30);
  const curve = { x: 52, y: top, width: across - 74, height: free };
  const budget = top + free + 30;
  const height = budget + budgetHeight(width, views) + 20;
  return { ...boxes, words, curve, side, width, budget, height };
}
