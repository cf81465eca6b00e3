// @ts-check
// How SeeThrough draws: the picture, curves of light, handles, bars and the answers all round.

import { brush } from "../page/canvas_view.js";
import { element, SMALL } from "../page/elements.js";
import { onCanvas, turned } from "./layout.js";
import { bestOf, chanceWords } from "./words.js";

const DASHES = [[], [6, 4]];

/** @typedef {CanvasRenderingContext2D} Pen */
/** @typedef {import("./layout.js").Plane} Plane */
/** @typedef {import("./layout.js").Point} Point */

/** Levels in colours, the lowest row first, as a canvas. */
export class Picture {
  /** @param {Uint8Array} colours @param {number} side */
  constructor(colours, side) {
    this.colours = colours;
    this.side = side;
    this.canvas = element("canvas", { width: side, height: side });
    this.pen = brush(this.canvas);
    this.image = this.pen.createImageData(side, side);
  }

  /** @param {Uint8Array} levels */
  paint(levels) {
    const { side, image, colours } = this;
    levels.forEach((level, n) => {
      const p = 4 * ((side - 1 - Math.floor(n / side)) * side + (n % side));
      for (let c = 0; c < 3; c++) image.data[p + c] = colours[3 * level + c];
      image.data[p + 3] = 255;
    });
    this.pen.putImageData(image, 0, 0);
    return this.canvas;
  }
}

/** Curves in a piece of sky: pairs of arc seconds, NaN between two.
 * @param {Pen} pen
 * @param {Plane} plane
 * @param {Float32Array} pairs
 * @param {number} angle radians
 * @param {string} colour
 */
export function drawLines(pen, plane, pairs, angle, colour) {
  inPlane(pen, plane, () => {
    Object.assign(pen, { strokeStyle: colour, lineWidth: 1.25 });
    pen.beginPath();
    let broken = true;
    for (let n = 0; n < pairs.length; n += 2) {
      if (Number.isNaN(pairs[n])) {
        broken = true;
        continue;
      }
      const { x, y } = onCanvas(plane, turned({ x: pairs[n], y: pairs[n + 1] }, angle));
      if (broken) pen.moveTo(x, y);
      else pen.lineTo(x, y);
      broken = false;
    }
    pen.stroke();
  });
}

/** Draw inside a piece of sky. @param {Pen} pen @param {Plane} plane @param {() => void} draw */
export function inPlane(pen, plane, draw) {
  pen.save();
  pen.beginPath();
  pen.rect(plane.x, plane.y, plane.side, plane.side);
  pen.clip();
  draw();
  pen.restore();
}

/** The sign of a handle, in white with a dark rim, so that it is seen on any ground.
 * @param {Pen} pen
 * @param {string} name
 * @param {Point} at
 */
export function drawHandle(pen, name, { x, y }) {
  const paths = /** @type {Record<string, () => void>} */ ({
    source: () => star(pen, x, y, 9),
    lens: () => {
      for (const [u, v] of [
        [9, 0],
        [0, 9],
      ]) {
        pen.moveTo(x - u, y - v);
        pen.lineTo(x + u, y + v);
      }
    },
    axis: () => {
      pen.moveTo(x, y - 7);
      for (const [u, v] of [
        [7, 0],
        [0, 7],
        [-7, 0],
      ])
        pen.lineTo(x + u, y + v);
      pen.closePath();
    },
    clump: () => pen.arc(x, y, 6, 0, 7),
  });
  pen.beginPath();
  paths[name]();
  Object.assign(pen, { lineJoin: "round", strokeStyle: "#000000", lineWidth: 5 });
  pen.stroke();
  Object.assign(pen, { strokeStyle: "#ffffff", fillStyle: "#ffffff", lineWidth: 2 });
  pen.stroke();
  if (name !== "lens") pen.fill();
}

/** @param {Pen} pen @param {number} x @param {number} y @param {number} r */
function star(pen, x, y, r) {
  for (let n = 0; n <= 10; n++) {
    const far = n % 2 ? 0.42 * r : r;
    const angle = (n * Math.PI) / 5;
    pen.lineTo(x + far * Math.sin(angle), y - far * Math.cos(angle));
  }
}

/** The probabilities of one network, a bar for each class.
 * @param {import("../page/canvas_view.js").CanvasView} view
 * @param {Pen} pen
 * @param {{ x: number, y: number, width: number }} box
 * @param {{ classes: string[], chances: number[] | undefined, colour: string, row: number }} said
 */
export function drawBars(view, pen, { x, y, width }, { classes, chances, colour, row }) {
  const name = Math.min(64, Math.max(46, width * 0.3));
  const number = 48;
  const full = width - name - number - 10;
  classes.forEach((one, n) => {
    const top = y + n * row;
    const best = chances !== undefined && bestOf(chances) === n;
    view.text(pen, one, x, top, { font: best ? `600 ${SMALL}` : SMALL, most: name - 4 });
    pen.strokeStyle = view.hues.base;
    pen.lineWidth = 1;
    pen.strokeRect(x + name + 0.5, top + 0.5, full, row - 6);
    if (!chances) return;
    pen.fillStyle = colour;
    pen.fillRect(x + name, top, full * chances[n], row - 5);
    const words = chanceWords(chances[n]);
    view.text(pen, words, x + width, top, { font: SMALL, align: "right" });
  });
}

/** Probabilities against the angle of the sky, and where it stands now.
 * @param {import("../page/canvas_view.js").CanvasView} view
 * @param {Pen} pen
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {{ colour: string, chances: number[] }[]} lines a value a step; none where not known
 * @param {number} angle degrees
 */
export function drawRound(view, pen, box, lines, angle) {
  Object.assign(pen, { strokeStyle: view.hues.base, lineWidth: 1 });
  pen.strokeRect(box.x, box.y, box.width, box.height);
  for (const part of [0, 1]) {
    const y = box.y + box.height * (1 - part) - 7;
    view.text(pen, `${100 * part} %`, box.x - 5, y, { font: SMALL, align: "right" });
  }
  for (const tick of [0, 90, 180, 270, 360]) {
    const x = box.x + (box.width * tick) / 360;
    view.text(pen, `${tick}°`, x, box.y + box.height + 5, { font: SMALL, align: "center" });
  }
  const now = box.x + (box.width * angle) / 360;
  pen.strokeStyle = view.ink;
  view.dashed(pen, box, now);
  lines.forEach(({ colour, chances }, n) => {
    Object.assign(pen, { strokeStyle: colour, lineWidth: 2 });
    pen.setLineDash(DASHES[n]);
    pen.beginPath();
    for (let s = 0; s <= chances.length && chances.length; s++) {
      const chance = chances[s % chances.length];
      pen.lineTo(box.x + (box.width * s) / chances.length, box.y + box.height * (1 - chance));
    }
    pen.stroke();
  });
  pen.setLineDash([]);
}
