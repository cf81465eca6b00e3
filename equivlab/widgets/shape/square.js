// @ts-check
// The commuting square of RotateShape: "network, then turn" and "turn, then network", and what is
// left between them, in the same places.

import { budgetHeight } from "../page/budget.js";
import { BOLD, errorWords } from "../page/elements.js";
import { drawGlyphs } from "./glyphs.js";
import { apply, flipped, matrix } from "./quaternions.js";
import { GLYPH } from "./recorded.js";

/** @typedef {import("./layout.js").Square} Square */

const TITLE = 26;
const GAP = 12;
const AT_REST = [1, 0, 0, 0];

/** Three columns: the shape upright and turned; beside it Φ(x) and Φ(R·x); then R·Φ(x) and what
 * differs. Another network has a row below.
 * @param {number} width
 * @param {number} views
 */
export function arrangeSquareShapes(width, views) {
  const side = Math.floor(Math.min(300, (width - 2 * GAP) / 3));
  const row = side + TITLE + 8;
  /** @param {number} column @param {number} line @returns {Square} */
  const at = (column, line) => [column * (side + GAP), TITLE + line * row, side];
  const nets = Array.from({ length: views }, (_, n) =>
    n
      ? { acted: at(0, n + 1), beside: at(1, n + 1), off: at(2, n + 1) }
      : { rest: at(1, 0), acted: at(2, 0), beside: at(1, 1), off: at(2, 1) },
  );
  const budget = TITLE + (views + 1) * row + 4;
  const height = budget + budgetHeight(width, views) + 20;
  const none = { words: undefined, curve: undefined };
  return { ...none, upright: at(0, 0), input: at(0, 1), nets, side, width, budget, height };
}

/** Features less others that are acted on by a rotation: numbers, vectors, matrices, `GLYPH` each.
 * @param {Float32Array} now
 * @param {Float32Array} rest
 * @param {number[]} R
 */
export function differenceOf(now, rest, R) {
  const out = now.slice();
  for (let g = 0; g < now.length; g += GLYPH) {
    out[g] -= rest[g];
    const vector = apply(R, rest.subarray(g + 1, g + 4));
    for (let k = 0; k < 3; k++) out[g + 1 + k] -= vector[k];
    const [xx, xy, xz, yy, yz, zz] = rest.subarray(g + 4, g + 10);
    const S = [xx, xy, xz, xy, yy, yz, xz, yz, zz];
    const half = [0, 1, 2].map((i) => apply(flipped(S), R.slice(3 * i, 3 * i + 3))); // R S, by rows
    const pairs = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]; // biome-ignore format: a row
    for (const [k, [i, j]] of pairs.entries()) {
      const turned = half[i].reduce((sum, value, m) => sum + value * R[3 * j + m], 0);
      out[g + 4 + k] -= turned;
    }
  }
  return out;
}

/** The shapes and features. @param {any} view a view of RotateShape @param {number[]} cage */
export function drawSquareScenes(view, cage) {
  const { scene, layout, scale, reading, networks, shape, spec } = view;
  const still = matrix(AT_REST);
  const R = matrix(reading.rotation);
  const turn = matrix(view.live || view.frozen ? view.rotation : reading.rotation);
  for (const [box, by] of [
    [layout.upright, still],
    [layout.input, turn],
  ]) {
    scene.frame(box, scale);
    scene.drawInput(spec, shape, view.drawn, by);
    scene.drawCage(still, cage);
  }
  const upright = view.recorded.at(reading.shape, AT_REST);
  for (const [n, { shown, colour }] of networks.entries()) {
    const [rest, now] = [upright.glyphs[n], reading.glyphs[n]];
    const glyphs = {
      spots: view.spotsOf(reading.shape),
      size: spec.sizes[reading.shape],
      show: (/** @type {string} */ name) => view.show[name] && shown.includes(name),
      colours: view.colours,
      tint: colour,
    };
    const boxes = layout.nets[n];
    /** @param {Square} box @param {Float32Array} values @param {number[]} move @param {number[]} by */
    const draw = (box, values, move, by) => {
      scene.frame(box, scale);
      drawGlyphs(scene, { ...glyphs, values }, move, by);
      scene.drawCage(still, cage);
    };
    if (boxes.rest) draw(boxes.rest, rest, still, still);
    draw(boxes.acted, rest, R, R);
    draw(boxes.beside, now, R, still);
    draw(boxes.off, differenceOf(now, rest, R), R, still);
  }
}

/** What stands above each picture.
 * @param {any} view
 * @param {CanvasRenderingContext2D} pen
 * @param {(number | undefined)[]} errors
 */
export function drawSquareTitles(view, pen, errors) {
  const { layout, networks } = view;
  const narrow = layout.side < 200;
  /** @param {Square} square @param {string} words @param {string} [colour] */
  const title = ([x, y, side], words, colour) => {
    const style = { font: BOLD, align: /** @type {const} */ ("center"), colour, most: side };
    view.text(pen, words, x + side / 2, y - 20, style);
  };
  title(layout.upright, narrow ? "shape x" : "shape x  →  network");
  title(layout.input, narrow ? "R·x: drag" : "R·x: drag to turn  →  network");
  for (const [n, { title: name, colour }] of networks.entries()) {
    const { rest, acted, beside, off } = layout.nets[n];
    const brief = networks.length > 1 && !narrow ? `${name}: ` : "";
    if (rest) title(rest, narrow ? "Φ(x)" : `${brief}Φ(x)  →  turn`, colour);
    title(acted, narrow ? "R·Φ(x)" : `${brief}network, then turn: R·Φ(x)`, colour);
    title(beside, narrow ? "Φ(R·x)" : `${brief}turn, then network: Φ(R·x)`, colour);
    title(off, `${narrow ? "off" : "difference, error"} ${errorWords(errors[n])}`, colour);
  }
}
