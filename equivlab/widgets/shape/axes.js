// @ts-check
// The axes of the room in a corner of a picture of RotateShape.

import { SMALL } from "../page/elements.js";
import { apply } from "./quaternions.js";

/** They turn only where the picture is turned back.
 * @param {any} view a view of RotateShape
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./layout.js").Square} square
 * @param {number[]} R
 */
export function drawAxes(view, pen, [x, y, side], R) {
  const middle = [x + 24, y + side - 18];
  const { base } = view.hues;
  ["x", "y", "z"].forEach((name, n) => {
    const axis = [R[n], R[3 + n], R[6 + n]];
    const [right, up] = [0, 1].map((k) => apply([...view.axes[k], 0, 0, 0, 0, 0, 0], axis)[0]);
    Object.assign(pen, { strokeStyle: base, lineWidth: 1.5 });
    pen.beginPath();
    pen.moveTo(middle[0], middle[1]);
    pen.lineTo(middle[0] + 19 * right, middle[1] - 19 * up);
    pen.stroke();
    const style = { font: SMALL, colour: base, align: /** @type {const} */ ("center") };
    view.text(pen, name, middle[0] + 27 * right, middle[1] - 27 * up - 7, style);
  });
}
