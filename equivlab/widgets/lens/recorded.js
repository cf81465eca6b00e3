// @ts-check
// The sky in the steps of a turn that came with the page, for pages without a kernel.

import { frameOf } from "../page/turning_view.js";

/** @typedef {import("./handles.js").Pose} Pose */
/**
 * @typedef {object} Seen what the page shows
 * @property {Pose} of the pose it belongs to
 * @property {Uint8Array} levels the lowest row first
 * @property {Float32Array} critical pairs, NaN between two curves; before the turn
 * @property {Float32Array} caustics
 * @property {number[][]} said probabilities of each network
 * @property {string} remark
 * @property {number} gain magnification
 */

/** The first pose, turned, of each kind. */
export class RecordedSky {
  /** @param {any} spec @param {Uint8Array} levels @param {Float32Array} lines two of each kind */
  constructor(spec, levels, lines) {
    this.spec = spec;
    this.levels = levels;
    let from = 0;
    this.lines = spec.lines.map((/** @type {number} */ count) => {
      from += count;
      return lines.subarray(from - count, from);
    });
  }

  /** The recorded pose that is nearest in kind and angle. @param {Pose} pose @returns {Seen} */
  near(pose) {
    const { kinds, steps, pixels, rest, recorded } = this.spec;
    const kind = Math.max(0, kinds.indexOf(pose.kind));
    const step = frameOf(pose.angle_deg, steps);
    const size = pixels * pixels;
    const from = (kind * steps + step) * size;
    return {
      of: { ...rest, kind: kinds[kind], angle_deg: (step * 360) / steps },
      levels: this.levels.subarray(from, from + size),
      critical: this.lines[2 * kind],
      caustics: this.lines[2 * kind + 1],
      said: recorded[kind].around.map((/** @type {number[][]} */ one) => one[step]),
      remark: "",
      gain: recorded[kind].gain,
    };
  }

  /** Probabilities at all steps, of each network. @param {Pose} pose @returns {number[][][]} */
  around(pose) {
    return this.spec.recorded[Math.max(0, this.spec.kinds.indexOf(pose.kind))].around;
  }
}
