// @ts-check
// Features in space as RotateShape draws them: a number as colour, a vector as an arrow, a matrix
// as an ellipsoid.

import { ARROW_MESH, putArrow } from "./meshes.js";
import { apply } from "./quaternions.js";
import { GLYPH } from "./recorded.js";
import { BALL } from "./scene.js";

const STRETCH = 0.75; // how far an ellipsoid of the largest feature is from a ball
const ARROW = 0.45; // length of the longest arrow
const SHORTEST = 0.03; // and of the shortest that is drawn

/**
 * @typedef {object} Glyphs
 * @property {Float32Array} values `GLYPH` for each place
 * @property {Float32Array} spots where the places stand
 * @property {number} size of a ball
 * @property {(name: string) => boolean} show whether to draw colour, arrows, ellipsoids
 * @property {Uint8Array} colours
 * @property {string} tint of the arrows: #rrggbb
 */

/** The features of one network, places turned by `move` and features by `turn`.
 * @param {import("./scene.js").Scene} scene
 * @param {Glyphs} glyphs
 * @param {number[]} move
 * @param {number[]} turn
 */
export function drawGlyphs(scene, { values, spots, size, show, colours, tint }, move, turn) {
  const count = values.length / GLYPH;
  const balls = new Float32Array(count * BALL);
  const round = [size, 0, 0, 0, size, 0, 0, 0, size];
  const [tinted, pointed, deep] = [show("colour"), show("arrows"), show("ellipsoids")];
  /** @type {[number[], number[]][]} */
  const arrows = [];
  for (let n = 0; n < count; n++) {
    const g = GLYPH * n;
    const spot = apply(move, spots.subarray(3 * n, 3 * n + 3));
    balls.set(spot, BALL * n);
    balls.set(deep ? ellipsoid(values.subarray(g + 4, g + 10), turn, size) : round, BALL * n + 3);
    const scalar = Math.max(-1, Math.min(1, values[g])); // a difference may be larger
    const level = 3 * (tinted ? Math.round(127.5 + 127.5 * scalar) : 128);
    for (let c = 0; c < 3; c++) balls[BALL * n + 12 + c] = colours[level + c] / 255;
    if (pointed) arrows.push([spot, apply(turn, values.subarray(g + 1, g + 4))]);
  }
  scene.drawBalls(balls);
  if (pointed) scene.drawArrows(arrowCorners(arrows, size), parts(tint));
}

/** Arrows from the middles of the balls, so much longer that what is seen counts.
 * @param {[number[], number[]][]} arrows
 * @param {number} within
 */
function arrowCorners(arrows, within) {
  const long = arrows.filter(([, vector]) => ARROW * Math.hypot(...vector) > SHORTEST);
  const size = 6 * ARROW_MESH.corners.length;
  const out = new Float32Array(size * long.length);
  long.forEach(([spot, vector], n) => {
    const length = Math.hypot(...vector);
    const along = vector.map((v) => v / length);
    putArrow(out, size * n, spot, along, within + ARROW * length);
  });
  return out;
}

/** size · (1 + STRETCH · T S Tᵗ): columns of the matrix that makes a ball an ellipsoid.
 * @param {ArrayLike<number>} entries of S: xx xy xz yy yz zz
 * @param {number[]} T
 * @param {number} size
 */
export function ellipsoid(entries, T, size) {
  const [xx, xy, xz, yy, yz, zz] = Array.from(entries);
  const S = [xx, xy, xz, xy, yy, yz, xz, yz, zz];
  const half = [0, 1, 2].flatMap((i) => apply(S, T.slice(3 * i, 3 * i + 3))); // rows: S tᵢ
  const out = new Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      const turned =
        T[3 * i] * half[3 * j] + T[3 * i + 1] * half[3 * j + 1] + T[3 * i + 2] * half[3 * j + 2];
      out[3 * i + j] = size * (1.15 * Number(i === j) + 1.15 * STRETCH * turned);
    }
  }
  return out;
}

/** Red, green and blue of #rrggbb, from 0 to 1, a little darker: arrows stand before their balls.
 * @param {string} hue
 */
const parts = (hue) =>
  [1, 3, 5].map((at) => (0.86 * Number.parseInt(hue.slice(at, at + 2), 16)) / 255);
