// @ts-check
// The commuting square of RotateSphere: "network, then turn" and "turn, then network", and what is
// left between them. Features at rest are turned here, exactly: as a sphere is looked at.

import { budgetHeight } from "../page/budget.js";
import { errorWords } from "../page/elements.js";
import { knownOf } from "./features.js";
import { angleOf, IDENTITY } from "./rotations.js";

/** @typedef {{ x: number, y: number }} Place */

const BETWEEN = 16;
const TITLE = 34;

/** Three columns: the globe upright and turned; Φ(f) and Φ(R·f); R·Φ(f) and what differs. Another
 * network has a row below.
 * @param {number} width
 * @param {number} views networks
 */
export function arrangeSquareSpheres(width, views = 1) {
  const disc = Math.floor(Math.min(300, (width - 4 * BETWEEN) / 3));
  const row = disc + TITLE + 10;
  /** @param {number} column @param {number} line @returns {Place} */
  const at = (column, line) => ({
    x: BETWEEN + column * (disc + BETWEEN),
    y: TITLE + line * row,
  });
  const globe = at(0, 1);
  const panes = Array.from({ length: views }, (_, n) =>
    n ? [0, 1, 2].map((c) => at(c, n + 1)) : [at(1, 0), at(2, 0), at(1, 1), at(2, 1)],
  );
  panes.unshift([at(0, 0), globe]);
  const budget = (views + 1) * row + 4;
  const height = budget + budgetHeight(width, views);
  const narrow = disc < 200;
  return { width, disc, globe, panes, places: panes.flat(), narrow, budget, height };
}

/** What is left between features turned back and those at rest, as levels; 127 is nothing.
 * @param {Uint8Array} back
 * @param {Uint8Array} rest
 */
export const levelsOff = (back, rest) =>
  back.map((level, p) => Math.max(0, Math.min(254, 127 + level - rest[p])));

/** @type {WeakMap<object, any>} of each view, what it has seen at rest */
const atRest = new WeakMap();

/** The levels of each network at rest, of the signal and channel on show: those that came with the
 * page, or have been seen; of very many channels only the first come with it.
 * @param {any} view a view of RotateSphere
 * @returns {Uint8Array[] | undefined}
 */
export function levelsAtRest(view) {
  const { signal, channel, rotation } = view.seen.of;
  if (angleOf(rotation) < 1e-6) atRest.set(view, view.seen);
  const known = view.recorded.find({ signal, rotation: IDENTITY, channel }) ?? atRest.get(view);
  return known?.of.signal === signal && known.of.channel === channel ? known.levels : undefined;
}

/** What stands on each sphere: of the globe, then of each network; a picture and how it is turned.
 * @param {any} view a view of RotateSphere
 * @returns {{ picture: any, turned: number[] }[][]}
 */
export function squareSpheres(view) {
  const globe = view.globes[view.signal];
  const { rotation } = view.seen.of;
  const found = [
    [
      { picture: globe, turned: IDENTITY },
      { picture: globe, turned: view.shown },
    ],
  ];
  view.features().forEach((/** @type {any[]} */ [rest, out, off], /** @type {number} */ n) => {
    const spheres = [
      { picture: rest, turned: rotation },
      { picture: out, turned: IDENTITY },
      { picture: off, turned: rotation },
    ];
    found.push(n ? spheres : [{ picture: rest, turned: IDENTITY }, ...spheres]);
  });
  return found;
}

/** What stands above each sphere, with its colour. @param {any} view
 * @returns {[string, string][]}
 */
export function squareTitles(view) {
  const { layout, views, ink } = view;
  const { errors } = knownOf(view);
  const { narrow } = layout;
  /** @type {[string, string][]} */
  const titles = [
    [narrow ? "f" : "globe f  →  network", ink],
    [narrow ? "R·f: turn it" : "R·f: grab it and turn it  →  network", ink],
  ];
  for (const [n, { title, role }] of views.entries()) {
    const colour = view.hue(role);
    const name = narrow ? "" : `${title}: `;
    const words = [
      narrow ? "R·Φ(f)" : `${name}then turn: R·Φ(f)`,
      narrow ? "Φ(R·f)" : `${name}after the turn: Φ(R·f)`,
      `${narrow ? "off" : "difference, error"} ${errorWords(errors[n])}`,
    ];
    const upright = levelsAtRest(view) ? "Φ(f)  →  turn" : "Φ(f) is not here yet: press r";
    if (!n) words.unshift(narrow ? "Φ(f)" : `${name}${upright}`);
    for (const one of words) titles.push([one, colour]);
  }
  return titles;
}
