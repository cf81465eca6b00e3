// @ts-check
// What was seen of a network: signed pictures of filters and maps at some steps of its training.

import { brush } from "../page/canvas_view.js";
import { element } from "../page/elements.js";

/** @typedef {[number, number | null, number | null, number, number]} Row step, accuracies, limits */

/** How many numbers a shape has. @param {number[]} shape */
const size = (shape) => shape.reduce((all, side) => all * side, 1);

/** The looks that have come, by their step. */
export class Looks {
  /** @param {number[]} filters shape (F, k, k) @param {number[]} maps shape (C, G, h, h) */
  constructor(filters, maps) {
    this.filters = filters;
    this.maps = maps;
    this.size = size(filters) + size(maps);
    /** @type {Map<number, Uint8Array>} */
    this.known = new Map();
  }

  /** Many at once: only these stay. @param {Uint8Array} data @param {number[]} steps */
  keep(data, steps) {
    this.known.clear();
    steps.forEach((step, n) => {
      this.add(step, data.subarray(n * this.size, (n + 1) * this.size));
    });
  }

  /** @param {number} step @param {Uint8Array} data */
  add(step, data) {
    if (data.length === this.size) this.known.set(step, data);
  }

  /** The last step up to this one that was looked at; the first where none is.
   * @param {number} step
   */
  nearest(step) {
    const steps = [...this.known.keys()].sort((a, b) => a - b);
    return steps.filter((one) => one <= step).pop() ?? steps[0];
  }

  /** The pictures of a look, as levels from 0 to 255: filters one after the other, then maps.
   * @param {number} step
   * @param {"filters" | "maps"} kind
   * @returns {Uint8Array[]}
   */
  pictures(step, kind) {
    const data = this.known.get(step);
    if (!data) return [];
    const [shape, start] = kind === "filters" ? [this.filters, 0] : [this.maps, size(this.filters)];
    const area = size(shape.slice(-2));
    const count = size(shape) / area || 0;
    return Array.from({ length: count }, (_, n) =>
      data.subarray(start + n * area, start + (n + 1) * area),
    );
  }
}

/** The largest limits of all looks: one range of colours, however far one goes back.
 * @param {Row[]} rows
 * @returns {{ filters: number, maps: number }}
 */
export const ranges = (rows) => ({
  filters: Math.max(1e-12, ...rows.map((row) => row[3])),
  maps: Math.max(1e-12, ...rows.map((row) => row[4])),
});

/** A level of a look with its own limit, as a level of the common range.
 * @param {number} level
 * @param {number} share its limit by the common one
 */
export const ranged = (level, share) =>
  Math.max(0, Math.min(255, Math.round((level - 128) * share) + 128));

/** Draws levels in colours, one picture after the other on the same tile. */
export class Tile {
  /** @param {Uint8Array} colours 256 of them @param {number} side */
  constructor(colours, side) {
    this.colours = colours;
    this.canvas = element("canvas", { width: side, height: side });
    this.pen = brush(this.canvas);
    this.image = this.pen.createImageData(side, side);
  }

  /** @param {Uint8Array} levels @param {number} share */
  paint(levels, share) {
    const out = this.image.data;
    levels.forEach((level, p) => {
      const from = 3 * ranged(level, share);
      for (let c = 0; c < 3; c++) out[4 * p + c] = this.colours[from + c];
      out[4 * p + 3] = 255;
    });
    this.pen.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}
