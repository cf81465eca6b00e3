// @ts-check
// The rotations of RotateShape that came with the page, and what the networks gave at each.

import { aligned, bytes, numbers } from "../page/elements.js";
import { angleOf } from "./quaternions.js";

export const GLYPH = 10; // numbers for each place: scalar, vector, xx xy xz yy yz zz

/**
 * @typedef {object} Reading what the networks gave for one shape at one rotation
 * @property {number} shape
 * @property {number[]} rotation
 * @property {(number | undefined)[]} errors of each network; undefined where none is known
 * @property {number | undefined} baseline the error of resampling alone
 * @property {(number | null)[][]} [shares] of each network's error: interpolation, grid, model
 * @property {Float32Array[]} glyphs of each network, from −1 to 1
 *
 * @typedef {{ z: number, right: number }} Slack what is left of a step, about either axis
 */

/** The number of the nearest of some rotations. @param {number[][]} poses @param {number[]} q */
export function nearest(poses, q) {
  let best = 0;
  let most = -1;
  poses.forEach((pose, n) => {
    const close = Math.abs(pose.reduce((sum, v, k) => sum + v * q[k], 0));
    if (close > most + 1e-9) [best, most] = [n, close];
  });
  return best;
}

/** The pose after a move of some angle, in whole steps; what is left stays in `slack`.
 * @param {number} now the pose: its tilt times `turns`, and its turn
 * @param {{ turns: number, poses: unknown[] }} spec
 * @param {"z" | "right"} axis
 * @param {number} angle
 * @param {Slack} slack
 */
export function stepped(now, { turns, poses }, axis, angle, slack) {
  const tilts = poses.length / turns;
  const grain = axis === "z" ? (2 * Math.PI) / turns : Math.PI / 2 / (tilts - 1);
  const far = slack[axis] + angle;
  const steps = Math.trunc(far / grain + Math.sign(far) * 1e-6);
  slack[axis] = far - steps * grain;
  let tilt = Math.floor(now / turns);
  let turn = now % turns;
  if (axis === "z") turn = (((turn + steps) % turns) + turns) % turns;
  else tilt = Math.max(0, Math.min(tilts - 1, tilt + steps));
  return tilt * turns + turn;
}

export class Recorded {
  /** @param {any} spec @param {import("@anywidget/types").AnyModel} state */
  constructor(spec, state) {
    this.spec = spec;
    this.baselines = spec.baselines.map(numbers);
    this.errors = spec.views.map((/** @type {any} */ view) => view.errors.map(numbers));
    const names = ["_atlas", "_compare_atlas"].slice(0, spec.views.length);
    this.atlas = names.map((name) => new Int16Array(aligned(state.get(name))));
  }

  /** Of each shape, all rotations for the curve. */
  dots() {
    return this.baselines.map((/** @type {number[]} */ row, /** @type {number} */ shape) =>
      row.map((baseline, pose) =>
        dotOf({
          shape,
          rotation: this.spec.poses[pose],
          errors: this.errors.map((/** @type {number[][]} */ view) => view[shape][pose]),
          baseline,
          glyphs: [],
        }),
      ),
    );
  }

  /** The reading at the nearest of the rotations. @param {number} shape @param {number[]} rotation
   * @returns {Reading}
   */
  at(shape, rotation) {
    const { poses, counts, levels } = this.spec;
    const pose = nearest(poses, rotation);
    const size = counts[shape] * GLYPH;
    const before = counts
      .slice(0, shape)
      .reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
    const from = before * GLYPH * poses.length + pose * size;
    return {
      shape,
      rotation: poses[pose],
      errors: this.errors.map((/** @type {number[][]} */ view) => view[shape][pose]),
      baseline: this.baselines[shape][pose],
      shares: this.spec.views.map((/** @type {any} */ view) => view.shares[shape][pose]),
      glyphs: this.atlas.map((all) => scaled(all.subarray(from, from + size), levels)),
    };
  }
}

/** A reading, for the curve. @param {Reading} reading */
export const dotOf = ({ rotation, errors, baseline }) => ({
  angle: angleOf(rotation),
  errors,
  baseline,
});

/** @param {Int16Array} values @param {number} levels */
const scaled = (values, levels) => Float32Array.from(values, (v) => v / levels);

/** What the kernel answered to a question, as a reading.
 * @param {{ errors: (number | null)[], baseline: number | null, shares: (number | null)[][] }} answer
 * @param {DataView[]} buffers
 * @param {{ shape: number, rotation: number[] }} question
 * @param {number} levels
 * @returns {Reading}
 */
export const answered = ({ errors, baseline, shares }, buffers, { shape, rotation }, levels) => ({
  shape,
  rotation,
  errors: numbers(errors),
  baseline: baseline ?? Infinity,
  shares,
  glyphs: buffers.map((buffer) => scaled(new Int16Array(bytes(buffer).slice().buffer), levels)),
});
