// @ts-check
// Where everything stands in the page of RotateSphere.

import { budgetHeight } from "../page/budget.js";

/** @typedef {{ x: number, y: number }} Place */

const GAP = 16;
const HEAD = 34; // height of a sphere's title

/** The globe, two spheres of features a network, and the curve.
 * @param {number} width
 * @param {number} views networks
 * @param {boolean} short whether the window is not tall
 */
export function arrangeSpheres(width, views = 1, short = false) {
  const narrow = width < (short ? 420 : 620);
  const room = narrow ? Math.min(220, (width - 3 * GAP) / 2) : Math.min(300, (width - 4 * GAP) / 3);
  const disc = Math.floor(room);
  const row = disc + HEAD + 10;
  const globe = { x: GAP, y: HEAD };
  const left = narrow ? GAP : 2 * GAP + disc;
  /** @type {Place[][]} */
  const rows = Array.from({ length: views }, (_, n) => {
    const y = HEAD + (n + Number(narrow)) * row;
    return [left, left + disc + GAP].map((x) => ({ x, y }));
  });
  const below = narrow ? (views + 1) * row : views * row;
  const beside = { x: 2 * GAP + disc + 40, y: HEAD + 24, width: disc - 48, height: disc - 60 };
  const under = { x: GAP + 40, y: row + HEAD + 20, width: disc - 48, height: disc - 70 };
  const foot = { x: GAP + 40, y: below + 28, width: 3 * disc + 2 * GAP - 48, height: 90 };
  const curve = narrow ? beside : views > 1 ? under : foot;
  const budget = (narrow || views > 1 ? below : below + 152) + 4;
  const height = budget + budgetHeight(width, views);
  const panes = [[globe], ...rows]; // what each WebGL canvas holds
  return { width, disc, globe, panes, places: panes.flat(), narrow, curve, budget, height };
}
