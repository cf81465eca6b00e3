// @ts-check
// Rotations for RotateShape: quaternions [w, x, y, z], matrices as nine numbers, rows first.

import { DEGREES } from "../page/elements.js";

const ELEVATION = 20 * DEGREES; // of the eye

/** The rotation q after p, as quaternions w x y z. @param {number[]} q @param {number[]} p */
export const times = ([a, b, c, d], [e, f, g, h]) => [
  a * e - b * f - c * g - d * h,
  a * f + b * e + c * h - d * g,
  a * g - b * h + c * e + d * f,
  a * h + b * g - c * f + d * e,
];
/** @param {number[]} axis @param {number} angle */
export const about = (axis, angle) => {
  const s = Math.sin(angle / 2);
  return [Math.cos(angle / 2), s * axis[0], s * axis[1], s * axis[2]];
};
/** Of length 1; no turn for what is no quaternion. @param {number[]} q */
export const unit = (q) => {
  const length = Math.hypot(...q);
  return length > 0 && Number.isFinite(length) ? q.map((v) => v / length) : [1, 0, 0, 0];
};
/** @param {number[]} q */
export const matrix = ([w, x, y, z]) => [
  1 - 2 * (y * y + z * z),
  2 * (x * y - w * z),
  2 * (x * z + w * y),
  2 * (x * y + w * z),
  1 - 2 * (x * x + z * z),
  2 * (y * z - w * x),
  2 * (x * z - w * y),
  2 * (y * z + w * x),
  1 - 2 * (x * x + y * y),
];
/** The angle of a rotation, in degrees. @param {number[]} q */
export const angleOf = (q) => (2 * Math.acos(Math.min(1, Math.abs(q[0])))) / DEGREES;
/** The transpose. @param {ArrayLike<number>} R */
export const flipped = (R) => [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];
/** A matrix times a vector. @param {ArrayLike<number>} R @param {ArrayLike<number>} v */
export const apply = (R, v) =>
  [0, 3, 6].map((n) => R[n] * v[0] + R[n + 1] * v[1] + R[n + 2] * v[2]);
/** @param {number[]} a @param {number[]} b */
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** The eye: rows are the screen's right, its up, and the way towards the eye.
 * @param {number} azimuth
 */
export function eye(azimuth) {
  const right = [Math.cos(azimuth), Math.sin(azimuth), 0];
  const back = [
    Math.sin(azimuth) * Math.cos(ELEVATION),
    -Math.cos(azimuth) * Math.cos(ELEVATION),
    Math.sin(ELEVATION),
  ];
  return [...right, ...cross(back, right), ...back];
}
