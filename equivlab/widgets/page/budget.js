// @ts-check
// What a relative error consists of, as a bar: interpolation, the grid, the model. The kernel shares
// it out, see `equivlab.equivariance.error_budget`.

import { BOLD, errorWords, SMALL } from "./elements.js";

/**
 * @typedef {object} Shares of the error of a network in one pose
 * @property {string} title
 * @property {string} colour
 * @property {number | undefined} error
 * @property {number | undefined} interpolation undefined where nothing is known
 * @property {number | undefined} grid undefined where it is not told from the model's
 */

const BAR_ROW = 38; // of a network: its words, its bar
const BAR_HEAD = 26;
const BAR = 10;
const STRIPES = 5; // pixels from one to the next
const PART_NAMES = ["interpolation", "grid", "model"];
const LEGEND = 250; // pixels
const WIDE = 620; // pixels for title and legend in one line

/** How much room the bars of so many networks take. @param {number} width @param {number} networks */
export const budgetHeight = (width, networks) =>
  BAR_HEAD + (width < WIDE ? 20 : 0) + networks * BAR_ROW + 6;

/** The parts in the order in which they are stacked: all of the error.
 * @param {Shares} shares
 */
export function partsOf({ error, interpolation, grid }) {
  if (error === undefined || interpolation === undefined || !Number.isFinite(error)) return [];
  const model = Math.max(0, error - interpolation - (grid ?? 0));
  return [interpolation, grid ?? 0, model];
}

/** @param {Shares} shares */
export function budgetWords(shares) {
  const parts = partsOf(shares);
  const total = errorWords(shares.error);
  if (!parts.length || total.startsWith("0 ")) return total;
  const told = parts.map(
    (part, n) => `${PART_NAMES[n]} ${errorWords(part).replace(" (exact)", "")}`,
  );
  if (shares.grid === undefined) told.splice(1, 2, told[2].replace("model", "grid and model"));
  return `${total} = ${told.join(" + ")}`;
}

/** The bars, with words above each.
 * @param {import("./canvas_view.js").CanvasView} view
 * @param {CanvasRenderingContext2D} pen
 * @param {Shares[]} rows
 * @param {{ x: number, y: number, width: number, most: number, at: string }} place the error at which
 *   a bar is as long as the width, and the pose in words
 */
export function drawBudget(view, pen, rows, { x, y, width, most, at }) {
  const head = `what the error ${at} consists of`;
  const wide = width + 40 >= WIDE;
  const room = wide ? width - LEGEND : width;
  view.text(pen, head, x, y, { font: BOLD, most: room });
  pen.font = BOLD;
  const left = wide ? x + Math.min(room, pen.measureText(head).width) + 24 : x;
  drawLegend(view, pen, left, wide ? y : y + 20);
  rows.forEach((shares, n) => {
    const top = y + BAR_HEAD + (wide ? 0 : 20) + n * BAR_ROW;
    const { title, colour } = shares;
    const words = `${title}: ${budgetWords(shares)}`;
    view.text(pen, words, x, top, { font: SMALL, colour, most: width });
    pen.globalAlpha = 0.25;
    pen.fillStyle = view.hues.base;
    pen.fillRect(x, top + 18, width, BAR);
    pen.globalAlpha = 1;
    let from = x;
    partsOf(shares).forEach((part, kind) => {
      const to = Math.min(x + width, from + (width * part) / most);
      fillPart(view, pen, kind, colour, { x: from, y: top + 18, width: to - from, height: BAR });
      from = to;
    });
  });
}

/** @param {import("./canvas_view.js").CanvasView} view @param {CanvasRenderingContext2D} pen
 * @param {number} x @param {number} y
 */
function drawLegend(view, pen, x, y) {
  let left = x;
  PART_NAMES.forEach((name, kind) => {
    fillPart(view, pen, kind, view.ink, { x: left, y: y + 2, width: 12, height: BAR });
    view.text(pen, name, left + 17, y, { font: SMALL });
    left += 17 + pen.measureText(name).width + 16;
  });
}

/** Interpolation is grey as everywhere, the grid is striped, the model full.
 * @param {import("./canvas_view.js").CanvasView} view
 * @param {CanvasRenderingContext2D} pen
 * @param {number} kind
 * @param {string} colour
 * @param {{ x: number, y: number, width: number, height: number }} box
 */
function fillPart(view, pen, kind, colour, { x, y, width, height }) {
  if (width < 0.25) return;
  pen.fillStyle = kind ? colour : view.hues.base;
  if (kind !== 1) return pen.fillRect(x, y, width, height);
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  Object.assign(pen, { strokeStyle: colour, lineWidth: 2 });
  pen.beginPath();
  for (let at = x - height; at < x + width; at += STRIPES) {
    pen.moveTo(at, y + height);
    pen.lineTo(at + height, y);
  }
  pen.stroke();
  pen.restore();
}
