// @ts-check
// What the errors of RotateSphere consist of. Its grid's part takes one more pass of the network, so
// the kernel is asked when the globe is at rest.

import { budgetWords, drawBudget, partsOf } from "../page/budget.js";
import { knownOf } from "./features.js";
import { angleOf } from "./rotations.js";
import { sentencesOf } from "./words.js";

/** The error of each network, and what it consists of. @param {any} view
 * @returns {import("../page/budget.js").Shares[]}
 */
export const sharesOf = (view) =>
  view.views.map((/** @type {any} */ { title, role }, /** @type {number} */ n) => {
    const { errors, shares } = knownOf(view);
    const [interpolation, grid] = shares?.[n] ?? [];
    const colour = view.hue(role);
    return { title, colour, error: errors[n], interpolation, grid: grid ?? undefined };
  });

/** All that a reader of the screen hears at rest. @param {any} view */
export function spokenOf(view) {
  const known = sharesOf(view).filter((shares) => partsOf(shares).length);
  const parts = known.map((shares) => `${shares.title}: ${budgetWords(shares)}`);
  return [...sentencesOf(view).slice(0, -2), ...parts].join(", ");
}

/** The bars below the spheres. @param {any} view @param {CanvasRenderingContext2D} pen */
export function drawShares(view, pen) {
  const { seen, layout } = view;
  const { of } = knownOf(view);
  const recorded = view.views.flatMap((/** @type {any} */ { errors }) => errors.flat());
  const most = Math.max(0.01, ...seen.errors, ...recorded);
  const at = `at ${Math.round(angleOf(of.rotation))}°`;
  const place = { x: 16, y: layout.budget, width: layout.width - 36 };
  drawBudget(view, pen, sharesOf(view), { ...place, most, at });
}

/** At rest: what do the errors consist of? @param {any} view */
export async function askShares(view) {
  const { seen, invoke, loop } = view;
  const known = seen.shares?.every((/** @type {unknown} */ one) => one);
  if (known || !invoke || loop.silent || !loop.isSettled(view.question)) return;
  try {
    const { signal } = loop.closing;
    const [answer] = await invoke("ask", { ...seen.of, budget: true }, { signal });
    if (seen !== view.seen || !answer.shares) return;
    seen.shares = answer.shares;
    view.ringed = false;
    view.redraw();
  } catch {
    // The next rest asks again.
  }
}
