// @ts-check
// Pairs of channels that a turn by α turns by kα, as figures of k points: an arrow, a line with two
// ends, a star of three. A figure turns with the picture that it stands on.

import { brush } from "../page/canvas_view.js";

const ACROSS = 9; // figures in a row
const LEAST = 10; // of 127: shorter pairs are left out

/** Draw them over a picture.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} below
 * @param {Float32Array[]} pair
 * @param {number} side of the maps
 * @param {number} frequency
 */
export function drawArrows(canvas, below, pair, side, frequency) {
  const pen = brush(canvas);
  const size = canvas.width;
  pen.drawImage(below, 0, 0, size, size);
  Object.assign(pen, { strokeStyle: "#111111", fillStyle: "#111111", lineWidth: size / 110 });
  const every = Math.max(1, Math.round(side / ACROSS));
  const first = Math.floor(((side - 1) % every) / 2);
  for (let row = first; row < side; row += every) {
    for (let column = first; column < side; column += every) {
      const [u, v] = pair.map((map) => map[row * side + column]);
      const long = Math.hypot(u, v);
      if (long < LEAST) continue;
      const place = (/** @type {number} */ n) => ((n + 0.5) * size) / side;
      const reach = ((0.55 * every * size) / side) * Math.min(1, 0.3 + long / 127);
      for (let k = 0; k < frequency; k++) {
        const angle = (Math.atan2(v, u) + 2 * Math.PI * k) / frequency;
        spoke(pen, place(column), place(row), angle, reach, frequency === 1);
      }
    }
  }
  return canvas;
}

/** A line from a point; an arrow goes through it.
 * @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y
 * @param {number} angle @param {number} reach @param {boolean} headed
 */
function spoke(pen, x, y, angle, reach, headed) {
  const [right, down] = [reach * Math.cos(angle), -reach * Math.sin(angle)];
  pen.beginPath();
  pen.moveTo(x - (headed ? right : 0), y - (headed ? down : 0));
  pen.lineTo(x + right, y + down);
  pen.stroke();
  if (!headed) return;
  pen.beginPath();
  pen.moveTo(x + 1.25 * right, y + 1.25 * down);
  pen.lineTo(x + 0.35 * right + 0.45 * down, y + 0.35 * down - 0.45 * right);
  pen.lineTo(x + 0.35 * right - 0.45 * down, y + 0.35 * down + 0.45 * right);
  pen.fill();
}
