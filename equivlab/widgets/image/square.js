// @ts-check
// The commuting square: "network, then turn" and "turn, then network", two ways from an image to
// turned maps, and between them what differs.

import { budgetHeight } from "../page/budget.js";
import { turnedCells } from "../page/cells.js";
import { BOLD, errorWords, SMALL } from "../page/elements.js";
import { turned } from "../page/turned.js";
import { drawDisc } from "../page/turning_view.js";

/**
 * @typedef {import("./maps.js").Maps} Maps
 * @typedef {{ channels: number, columns: number }} Grid
 * @typedef {{ x: number, y: number, side: number }} Box
 */

const GAP = 6;
const HEAD = 22; // height of the words above a row
const WAY = 30; // length of an arrow
const LEAST_CELL = 24; // pixels of a map; orientations that have no room are left out

/** Where everything stands: two images at the left, four rows of maps at the right.
 * @param {number} width
 * @param {Grid} model
 * @param {Grid | undefined} other
 */
export function arrangeSquare(width, model, other) {
  const narrow = width < 620;
  const image = narrow ? Math.min(96, 0.26 * width) : Math.min(170, 0.18 * width);
  const left = 8 + image + (narrow ? 26 : 96);
  const most = other ? (narrow ? 1.1 : 0.5) : 0; // of a column, between the networks and for words
  const room = Math.floor((width - left - 8) / (LEAST_CELL + GAP) - most);
  const aside = other ? Math.min(other.columns, Math.max(1, Math.floor(room / 3))) : 0;
  const columns = Math.min(model.columns, Math.max(1, room - aside));
  const cell = Math.min(110, (width - left - 8) / (columns + aside + most) - GAP);
  const step = cell + GAP;
  const row = Math.max(cell, 40) + HEAD + WAY;
  const tops = [0, 1, 2, 3].map((n) => 52 + n * row);
  const middle = (/** @type {number} */ n) => tops[n] + cell / 2 - image / 2;
  const budget = Math.max(tops[3] + cell, middle(3) + image) + 16;
  const height = budget + budgetHeight(width, other ? 2 : 1);
  return {
    width,
    narrow,
    left,
    cell,
    step,
    tops,
    budget,
    height,
    upright: { x: 8, y: Math.max(30, middle(0)), side: image },
    turned: { x: 8, y: middle(3), side: image },
    starts: [left, left + (columns + 0.5) * step],
    columns: [columns, aside],
  };
}

/** The three rows of one channel below `Φ(x)`: `g·Φ(x)`, the difference, `Φ(g·x)`.
 * @param {Maps} maps
 * @param {{ image: number, frame: number, channel: number, turn: number, mirror: boolean }} pose
 */
export function pathsOf(maps, { turn, mirror, ...where }) {
  const { side, orientations } = maps;
  const act = maps.hexagons ? turnedCells : turned;
  return Array.from({ length: orientations }, (_, g) => {
    const below = act(maps.acted(where, g), side, turn, mirror);
    const beside = maps.values(where, g).slice();
    const off = beside.map((value, p) => value - below[p]);
    return { below, off, beside };
  });
}

/** Draw the square.
 * @param {any} view a view of RotateImage
 * @param {CanvasRenderingContext2D} pen
 */
export function drawSquare(view, pen) {
  const { layout, pictures, image } = view;
  const picture = pictures[image];
  const { upright, turned: below } = layout;
  const [turn, mirror] = [view.computedTurn, view.mirror];
  view.text(pen, "image x", upright.x, upright.y - 22, { font: BOLD, most: layout.left - 16 });
  drawDisc(pen, picture, upright.x, upright.y, upright.side);
  const words = layout.narrow ? "g·x: drag" : "turned, g·x: drag to turn";
  view.text(pen, words, below.x, below.y - 28, { font: BOLD, most: layout.left - 16 });
  drawDisc(pen, picture, below.x, below.y, below.side, { turn: view.turn, mirror });
  view.drawHandle(pen, below.x + below.side / 2, below.y + below.side / 2, below.side / 2);
  const middle = upright.x + upright.side / 2;
  const from = upright.y + upright.side + 6;
  arrow(view, pen, middle, from, middle, below.y - 36);
  const turns = layout.narrow ? `g: ${view.freeAngle}°` : `turn g: ${view.pose}`;
  const place = { x: middle + 8, y: (from + below.y - 30) / 2 - 8 };
  view.text(pen, turns, place.x, place.y, { font: SMALL, most: layout.left - place.x - 8 });
  const networks = [view.maps, view.other].filter(Boolean);
  for (const n of [0, 3]) {
    const box = n ? below : upright;
    const y = layout.tops[n] + layout.cell / 2;
    arrow(view, pen, box.x + box.side + 14, y, layout.left - 8, y);
    if (layout.narrow) continue;
    const x = (box.x + box.side + 14 + layout.left) / 2;
    view.text(pen, "network", x, y - 18, { font: SMALL, align: "center", most: 80 });
  }
  networks.forEach((maps, n) => {
    drawPaths(view, pen, maps, n, { image, frame: view.frame, turn, mirror });
  });
  view.blocks.turned = [below.x, below.y, below.side, below.side];
  view.blocks.below = [layout.left, layout.tops[1], layout.cell, layout.cell];
}

/** One network's column of rows.
 * @param {any} view
 * @param {CanvasRenderingContext2D} pen
 * @param {Maps} maps
 * @param {number} n
 * @param {{ image: number, frame: number, turn: number, mirror: boolean }} pose
 */
function drawPaths(view, pen, maps, n, pose) {
  const { layout, colours, spec } = view;
  const channel = Math.min(view.first, maps.channels - 1);
  const x = layout.starts[n];
  const most = n || !view.other ? layout.width - x - 8 : layout.starts[1] - x - 8;
  const [title, colour] = [spec.titles[n], view.hue(spec.roles[n])];
  const error = errorWords(maps.errors[pose.image][pose.frame]);
  const short = error.replace(" (exact)", "");
  if (!maps.has(channel)) return view.missing(pen, x, layout.tops[0], most);
  const paths = pathsOf(maps, { ...pose, channel });
  const upright = { image: pose.image, frame: 0, channel };
  const rows = [
    paths.map((_, g) => maps.values(upright, g).slice()),
    paths.map(({ below }) => below),
    paths.map(({ off }) => off),
    paths.map(({ beside }) => beside),
  ];
  const some = layout.columns[n] < maps.columns ? `, ${layout.columns[n]} of ${maps.columns}` : "";
  const brief = [title + some, "g·Φ(x)", `off ${short}`, "Φ(g·x)"];
  const full = [
    `${title}: maps Φ(x)${some}`,
    "network, then turn: g·Φ(x)",
    `difference, error ${error}`,
    "turn, then network: Φ(g·x)",
  ];
  const heads = most < 150 ? brief : full;
  rows.forEach((row, r) => {
    const y = layout.tops[r];
    const style = { font: r % 2 ? SMALL : BOLD, colour: r % 2 ? view.ink : colour, most };
    view.text(pen, heads[r], x, y - 20, style);
    for (let g = 0; g < layout.columns[n]; g++) {
      const picture = maps.frequencies
        ? maps.paintPair(colours, row, channel)
        : maps.paint(colours, row[g]);
      drawDisc(pen, picture, x + g * layout.step, y, layout.cell);
    }
  });
  const at = x + Math.min(layout.cell / 2, 24);
  const feet = (/** @type {number} */ r) => layout.tops[r] + layout.cell + 5;
  arrow(view, pen, at, feet(0), at, layout.tops[1] - 24);
  if (most > 76) view.text(pen, "turn g", at + 9, feet(0) + 3, { font: SMALL });
}

/** @param {any} view @param {CanvasRenderingContext2D} pen
 * @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1
 */
function arrow(view, pen, x0, y0, x1, y1) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 8) return;
  const [u, v] = [(x1 - x0) / length, (y1 - y0) / length];
  Object.assign(pen, { strokeStyle: view.hues.base, fillStyle: view.hues.base, lineWidth: 2 });
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1 - 6 * u, y1 - 6 * v);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - 9 * u + 5 * v, y1 - 9 * v - 5 * u);
  pen.lineTo(x1 - 9 * u - 5 * v, y1 - 9 * v + 5 * u);
  pen.fill();
}
