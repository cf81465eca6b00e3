// @ts-check
// What the "?" of RotateShape tells.

/** @typedef {import("../page/help.js").Rows} Rows */

/** @param {Rows} paging @param {boolean} resampled whether turning costs something by itself
 * @returns {{ keys: Rows, words: Rows }}
 */
export function explainedShape(paging, resampled) {
  /** @type {Rows} */
  const costs = [["resampling", "what turning the voxels costs alone, without a network"]];
  return {
    keys: [
      ["← →", "turn about the upright axis"],
      ["↑ ↓", "tilt"],
      ["[ ]", "roll"],
      ["Shift", "with any of these: by 90°"],
      ["r", "upright again"],
      ["s", "the square: both ways round, and what differs"],
      ...paging,
    ],
    words: [
      ["colour", "a scalar feature: red above its mean, blue below"],
      ["arrows", "a vector feature"],
      ["ellipsoids", "a feature of degree 2: long where its form is positive, thin where not"],
      ["R·Φ(x), Φ(R·x)", "in the square: the features turned, and the features of what is turned"],
      ["turned back", "by the inverse rotation: stands still if the network is equivariant"],
      ["interpolation", "of the error, as much as resampling alone costs"],
      ["grid", "what the same layers have not with steps of one and the same padding all round"],
      ["model", "the rest: what the layers do not obey on any grid"],
      ["error", "|Φ(R·x) − R·Φ(x)| / |Φ(x)| over all channels, in the places that are drawn"],
      ...(resampled ? costs : []),
    ],
  };
}
