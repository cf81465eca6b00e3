// @ts-check
// Square pixels turned by any angle.

/** A map turned counter-clockwise after a mirror or none, bilinear, zeros outside; as
 * `equivlab.fields.rotate_maps`.
 * @param {Float32Array} values
 * @param {number} side
 * @param {number} turn
 * @param {boolean} mirror
 */
export function turned(values, side, turn, mirror) {
  const out = new Float32Array(values.length);
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  const middle = (side - 1) / 2;
  /** @param {number} x @param {number} y */
  const at = (x, y) =>
    x < 0 || y < 0 || x >= side || y >= side ? 0 : values[y * side + (mirror ? side - 1 - x : x)];
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [right, down] = [column - middle, row - middle];
      const x = middle + c * right - s * down;
      const y = middle + s * right + c * down;
      const [x0, y0] = [Math.floor(x + 1e-6), Math.floor(y + 1e-6)];
      const [u, v] = [Math.max(0, x - x0), Math.max(0, y - y0)];
      out[row * side + column] =
        (1 - v) * ((1 - u) * at(x0, y0) + u * at(x0 + 1, y0)) +
        v * ((1 - u) * at(x0, y0 + 1) + u * at(x0 + 1, y0 + 1));
    }
  }
  return out;
}
