// @ts-check
// What the errors of RotateShape consist of.

import { drawBudget } from "../page/budget.js";
import { angleOf } from "./quaternions.js";

/** @typedef {import("./recorded.js").Reading} Reading */

/** The error of each network, and its parts. @param {any} view @param {Reading} known
 * @returns {import("../page/budget.js").Shares[]}
 */
export const sharesOf = (view, { errors, shares }) =>
  view.networks.map((/** @type {any} */ { title, colour }, /** @type {number} */ n) => {
    const [interpolation, grid] = shares?.[n] ?? [];
    const told = { interpolation: interpolation ?? undefined, grid: grid ?? undefined };
    return { title, colour, error: errors[n], ...told };
  });

/** The bars. @param {any} view @param {CanvasRenderingContext2D} pen @param {Reading} known */
export function drawShares(view, pen, known) {
  const { layout, recorded } = view;
  const most = Math.max(0.01, ...recorded.errors.flat(2).filter(Number.isFinite));
  const at = `at ${Math.round(angleOf(known.rotation))}°`;
  const place = { x: 8, y: layout.budget, width: layout.width - 24, most, at };
  drawBudget(view, pen, sharesOf(view, known), place);
}
