// @ts-check
// What SeeThrough says: names of its numbers, how sure a network is, and what the "?" tells.

/** @typedef {import("../page/help.js").Rows} Rows */

/** The numbers with sliders, in the order in which they stand: name, words, unit. */
export const NUMBERS = /** @type {[string, string, string][]} */ ([
  ["source_x", "source, right", "″"],
  ["source_y", "source, up", "″"],
  ["lens_x", "deflector, right", "″"],
  ["lens_y", "deflector, up", "″"],
  ["theta_e", "Einstein radius", "″"],
  ["ellipticity", "ellipticity", ""],
  ["axis_deg", "its axis", "°"],
  ["shear", "shear", ""],
  ["shear_deg", "its direction", "°"],
  ["amount", "substructure, times", ""],
  ["clump_mass", "one more mass", ""],
  ["clump_x", "this mass, right", "″"],
  ["clump_y", "this mass, up", "″"],
]);

const KINDS = /** @type {Record<string, string>} */ ({
  no_sub: "smooth (no_sub)",
  cdm: "subhalos (cdm)",
  axion: "vortex (axion)",
});

/** @param {string} kind */
export const kindWords = (kind) => KINDS[kind] ?? kind;

/** @param {string} name @param {number} value @param {string} unit @param {number} none */
export function valueWords(name, value, unit, none) {
  if (name === "clump_mass") return value > none ? `10^${value.toFixed(1)} M☉` : "none";
  return `${Number(value.toFixed(2))}${unit}`;
}

/** @param {number} chance */
export const chanceWords = (chance) => `${(100 * chance).toFixed(1)} %`;

/** The place of the largest. @param {number[]} chances */
export const bestOf = (chances) => chances.indexOf(Math.max(...chances));

/** How much one class's probability changes all round, and between quarter turns alone.
 * @param {number[]} values one a step
 */
export function swings(values) {
  const span = (/** @type {number[]} */ some) => Math.max(...some) - Math.min(...some);
  const quarters = values.filter((_, n) => n % (values.length / 4) === 0);
  return { all: span(values), quarters: span(quarters) };
}

/** @param {number} share */
export const changeWords = (share) =>
  share < 5e-6 ? "0" : `${Number((100 * share).toPrecision(2))} %`;

/** How the picture keeps up. @param {{ silent: boolean, problem?: string, remark: string, settled: boolean }} now */
export function stateWords({ silent, problem, remark, settled }) {
  if (silent) return "no kernel answers: it turns in recorded steps, the other handles rest";
  if (problem) return `the kernel says: ${problem}`;
  if (!settled) return "…";
  return remark;
}

/** @returns {{ keys: Rows, words: Rows }} */
export const explainedLens = () => ({
  keys: [
    ["→ ←", "turn the sky by 5° to the left, to the right; on a slider: move that"],
    ["Shift", "with an arrow: by 90°; on a slider: by five steps"],
    ["w a s d", "move the source up, left, down, right"],
    ["k", "the next kind of dark matter"],
    ["n", "another draw of it"],
    ["o", "noise away, and back"],
    ["c", "curves away, and back"],
    ["r", "back to the first pose"],
  ],
  words: [
    ["★", "where the source would be without the lens; drag it"],
    ["+", "the deflector; drag it. ◆ on its axis: turn it, pull it out to stretch it"],
    ["●", "one more mass, from “all numbers”; drag it"],
    ["white lines", "critical curves: images there are infinitely bright"],
    ["grey lines", "caustics: a source that crosses one gains or loses two images"],
    ["magnified", "the light of the source in the picture, by what came without the lens"],
    ["bars", "the probabilities that a network gives"],
    [
      "all round",
      "the probability of one class at every angle of the sky; between quarter turns other pixels and other noise fall on each part of it",
    ],
  ],
});
