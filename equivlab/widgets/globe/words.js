// @ts-check
// What the "?" of RotateSphere tells.

import { errorWords } from "../page/elements.js";
import { isFollowing, knownOf } from "./features.js";
import { angleOf } from "./rotations.js";

/** @typedef {import("../page/help.js").Rows} Rows */

/** What stands below the spheres: the numbers, the turn, what colours mean, what is amiss.
 * @param {any} view a view of RotateSphere
 * @returns {string[]}
 */
export function sentencesOf(view) {
  const turned = `turned by ${Math.round(angleOf(view.shown))}°`;
  const errors = view.views.map((/** @type {unknown} */ _, /** @type {number} */ n) =>
    errorLine(view, n),
  );
  return [...errors, turned, "features: red above zero, blue below", stateLine(view)];
}

/** The number of a network, with the pose it belongs to if the globe has turned on; none if it
 * cannot follow.
 * @param {any} view
 * @param {number} n
 */
function errorLine(view, n) {
  const name = view.views.length > 1 ? `relative error, ${view.views[n].title}` : "relative error";
  const { of, errors } = knownOf(view);
  if (!isFollowing(view) || view.loop.isSettled(view.question)) {
    return `${name}: ${errorWords(errors[n])}`;
  }
  return `${name} at ${Math.round(angleOf(of.rotation))}°: ${errorWords(errors[n])}`;
}

/** How the features keep up. @param {any} view */
function stateLine(view) {
  const { silent, wait } = view.loop;
  if (!view.painters.every((/** @type {any} */ painter) => painter.alive)) {
    return "spheres need WebGL 2, which this page has not (any more)";
  }
  if (silent && !view.fitting) return "no kernel answers: other features are here";
  if (view.stepping) return "no kernel answers: the globe turns in recorded steps";
  if (silent) return "no kernel answers: the features stand still";
  if (view.problem) return `the kernel says: ${view.problem}`;
  return wait === undefined ? "" : `features ${Math.round(wait)} ms behind the globe`;
}

/** @param {number} steps of γ @param {number} channels @returns {{ keys: Rows, words: Rows }} */
export function explainedSphere(steps, channels) {
  /** @type {Rows} */
  const keys = [
    ["← → ↑ ↓", "turn the globe by 5°"],
    ["Shift", "with an arrow: by 45°"],
    [", .", "roll it, about the line of sight"],
    ["r", "back to the first pose"],
  ];
  keys.push(["s", "the square: both ways round, and what differs"]);
  if (steps > 1) keys.push(["g", "the next γ"]);
  if (channels > 1) keys.push(["PageDown PageUp", "the next channel, and the one before"]);
  /** @type {Rows} */
  const gamma = [
    ["γ", "features on SO(3) know a third angle, about the point; one of them, or the largest"],
  ];
  return {
    keys,
    words: [
      ["features", "what the network found on the sphere: red above zero, blue below"],
      ["turned back", "by the inverse rotation: stand still if the network is equivariant"],
      ["R·Φ(f), Φ(R·f)", "in the square: the features turned, and the features of what is turned"],
      ["relative error", "|R⁻¹Φ(R·f) − Φ(f)| / |Φ(f)|, over all channels: how far from the law"],
      ["interpolation", "of that error, what turning HEALPix pixels costs alone"],
      ["grid", "what goes away where functions are taken on a grid twice as fine"],
      ["model", "the rest: what the layers do not obey on any grid"],
      ["ms behind", "how long the kernel took for the features of the last pose"],
      ...(steps > 1 ? gamma : []),
    ],
  };
}
