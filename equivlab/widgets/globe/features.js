// @ts-check
// What the networks of RotateSphere gave: at the poses that came with the page, and in answers.

import { angleOf } from "./rotations.js";

/**
 * @typedef {[number, number | null, number]} Shares interpolation, grid, model
 *
 * @typedef {object} View what the page knows of a network
 * @property {string} title
 * @property {[string, number]} role
 * @property {string} layer
 * @property {number} steps of γ
 * @property {number[]} side rows and columns
 * @property {number} channels
 * @property {number} recorded channels that came with the page
 * @property {number[][]} errors of each signal and pose
 * @property {Shares[][] | null} [shares] what they consist of, if it came with the page
 *
 * @typedef {{ signal: number, rotation: number[], channel: number }} Question
 *
 * @typedef {object} Seen features of one channel in one pose
 * @property {Question} of
 * @property {Uint8Array[]} levels of each network, as they come out, then turned back
 * @property {number[]} errors of each
 * @property {(Shares | null | undefined)[]} [shares] of each, interpolation, grid, model, where known
 */

/** One γ of the features, or the largest over γ (for a γ of −1).
 * @param {Uint8Array} levels
 * @param {number} from where the channel begins
 * @param {number} area
 * @param {number} steps
 * @param {number} gamma
 */
export function atGamma(levels, from, area, steps, gamma) {
  const first = from + Math.max(0, gamma) * area;
  const shown = levels.slice(first, first + area);
  if (gamma >= 0) return shown;
  for (let k = 1; k < steps; k++) {
    const start = from + k * area;
    for (let p = 0; p < area; p++) shown[p] = Math.max(shown[p], levels[start + p]);
  }
  return shown;
}

/** Whether the features on show are of the pose on show, or will be. @param {any} view */
export const isFollowing = ({ loop, problem, question }) =>
  !(loop.silent || problem) || loop.isSettled(question);

/** What is shown in numbers: nothing, where the features could not follow the globe.
 * @param {any} view
 * @returns {{ of: Question, errors: (number | undefined)[], shares?: Seen["shares"] }}
 */
export function knownOf(view) {
  const { seen, question: of } = view;
  return isFollowing(view) ? seen : { of, errors: seen.errors.map(() => undefined) };
}

/** The number of the pose nearest to a rotation. @param {number[][]} poses @param {number[]} r */
export function nearestPose(poses, r) {
  const alike = poses.map((pose) => pose.reduce((sum, v, n) => sum + v * r[n], 0));
  return alike.indexOf(Math.max(...alike));
}

/** The poses that came with the page. */
export class Recorded {
  /** @param {{ poses: number[][], views: View[] }} spec @param {Uint8Array[]} data of each network */
  constructor({ poses, views }, data) {
    this.poses = poses;
    this.views = views;
    this.data = data;
  }

  /** For the curve, of each signal. */
  dots() {
    return this.views[0].errors.map((row, signal) =>
      row.map((_, pose) => ({
        angle: angleOf(this.poses[pose]),
        errors: this.views.map(({ errors }) => errors[signal][pose]),
      })),
    );
  }

  /** The pose that stands for a rotation without a kernel, if there are several. @param {number[]} r */
  near(r) {
    return this.poses.length > 1 ? this.poses[nearestPose(this.poses, r)] : r;
  }

  /** What is known of a question; nothing, if the kernel must answer it.
   * @param {Question} question
   * @returns {Seen | undefined}
   */
  find(question) {
    const { signal, rotation, channel } = question;
    const pose = nearestPose(this.poses, rotation);
    const same = this.poses[pose].every((v, n) => Math.abs(v - rotation[n]) < 1e-9);
    const places = this.views.map(({ channels }) => Math.min(channel, channels - 1));
    if (!same || places.some((place, n) => place >= this.views[n].recorded)) return undefined;
    return {
      of: question,
      levels: places.map((place, n) => this.cut(n, signal, pose, place)),
      errors: this.views.map(({ errors }) => errors[signal][pose]),
      shares: this.views.map(({ shares }) => shares?.[signal][pose]),
    };
  }

  /** @param {number} n @param {number} signal @param {number} pose @param {number} place */
  cut(n, signal, pose, place) {
    const { steps, side, recorded } = this.views[n];
    const size = steps * side[0] * side[1];
    const start = 2 * (signal * this.poses.length + pose);
    const parts = [0, 1].map((turned) => ((start + turned) * recorded + place) * size);
    const levels = new Uint8Array(2 * size);
    parts.forEach((from, turned) => {
      levels.set(this.data[n].subarray(from, from + size), turned * size);
    });
    return levels;
  }
}
