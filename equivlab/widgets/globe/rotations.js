// @ts-check
// Rotations as 3 × 3 matrices, row after row, acting on columns x (to the reader), y (to the
// right) and z (up).

import { DEGREES } from "../page/elements.js";

export const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** @param {number[]} a @param {number[]} b */
export const multiply = (a, b) =>
  IDENTITY.map((_, n) => {
    const row = 3 * Math.floor(n / 3);
    const column = n % 3;
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
  });

/** The turn about a unit axis by an angle (Rodrigues). @param {number[]} axis @param {number} angle */
export function about([x, y, z], angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const d = 1 - c;
  const first = [c + x * x * d, x * y * d - z * s, x * z * d + y * s];
  const second = [y * x * d + z * s, c + y * y * d, y * z * d - x * s];
  return [...first, ...second, z * x * d - y * s, z * y * d + x * s, c + z * z * d];
}

/** @param {number[]} a @param {number[]} b */
const crossed = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** The shortest turn that takes one unit vector to another. @param {number[]} a @param {number[]} b */
export function fromTo(a, b) {
  const axis = crossed(a, b);
  const sine = Math.hypot(...axis);
  const cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  if (sine < 1e-9) return IDENTITY;
  return about(
    axis.map((v) => v / sine),
    Math.atan2(sine, cosine),
  );
}

/** Rows made orthonormal again, after many products. @param {number[]} r */
export function cleaned(r) {
  /** @param {number[]} v */
  const unit = (v) => v.map((one) => one / Math.hypot(...v));
  const a = unit(r.slice(0, 3));
  const raw = r.slice(3, 6);
  const part = raw[0] * a[0] + raw[1] * a[1] + raw[2] * a[2];
  const b = unit(raw.map((v, n) => v - part * a[n]));
  return [...a, ...b, ...crossed(a, b)];
}

/** The angle of a rotation, in degrees. @param {number[]} r */
export const angleOf = (r) =>
  Math.acos(Math.max(-1, Math.min(1, (r[0] + r[4] + r[8] - 1) / 2))) / DEGREES;
