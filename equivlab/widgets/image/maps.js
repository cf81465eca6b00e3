// @ts-check
// The pixels of one network's maps in all frames, and how they are drawn.

import { brush } from "../page/canvas_view.js";
import { RASTER, rasterOf } from "../page/cells.js";
import { element, numbers } from "../page/elements.js";
import { drawArrows } from "./arrows.js";

/**
 * @typedef {object} MapsSpec
 * @property {number} orientations of a channel: how many maps it has
 * @property {number} side
 * @property {number[][][]} unturns tables: of each frame the matrix that mixes a channel's maps back
 * @property {number[]} kinds of each channel, which table
 * @property {number[] | null} [frequencies] of each channel, if its two maps are a pair
 * @property {boolean} [hexagons]
 * @property {(number | null)[][]} errors
 * @property {(number | null)[][]} [interpolation] what of the errors is interpolation's
 * @property {(number | null)[][]} [grid] and the grid's; null where that is not known
 */

/** @typedef {{ first: number, count: number }} Window which of the channels are here */
/** @typedef {{ image: number, frame: number, channel: number }} Where */

/** The pixels of one network: which map stands where, and the two ways to draw it. */
export class Maps {
  /** @param {Uint8Array} data @param {number} frames @param {MapsSpec} spec */
  constructor(data, frames, spec) {
    const { orientations, side, unturns, kinds, frequencies, errors } = spec;
    this.interpolation = spec.interpolation ?? [];
    this.grid = spec.grid ?? [];
    this.data = data;
    this.frames = frames;
    this.channels = kinds.length;
    this.orientations = orientations;
    this.side = side;
    this.unturns = unturns;
    this.kinds = kinds;
    this.frequencies = frequencies ?? undefined;
    this.errors = errors.map(numbers);
    this.mixed = new Float32Array(side * side);
    this.hexagons = Boolean(spec.hexagons);
    this.raster = spec.hexagons ? rasterOf(side) : undefined;
    /** @type {Window} */
    this.window = { first: 0, count: this.channels };
    /** @type {HTMLCanvasElement | undefined} */
    this.tile = undefined;
    /** @type {HTMLCanvasElement | undefined} */
    this.pointed = undefined;
    /** @type {ImageData | undefined} */
    this.image = undefined;
  }

  /** How many pictures a channel is: its orientations, or one where pairs are arrows. */
  get columns() {
    return this.frequencies ? 1 : this.orientations;
  }

  /** What the error of a frame consists of. @param {number} image @param {number} frame */
  sharesOf(image, frame) {
    return {
      error: this.errors[image][frame],
      interpolation: this.interpolation[image]?.[frame] ?? undefined,
      grid: this.grid[image]?.[frame] ?? undefined,
    };
  }

  /** Other channels have come from the kernel. @param {Uint8Array} data @param {number} first */
  show(data, first) {
    const each = this.frames * this.orientations * this.mixed.length * this.errors.length;
    this.data = data;
    this.window = { first, count: Math.round(data.length / each) };
  }

  /** @param {number} channel */
  has(channel) {
    const { first, count } = this.window;
    return channel >= first && channel < first + count;
  }

  /** Where the map of a channel and an orientation begins. @param {Where} where @param {number} h */
  start({ image, frame, channel }, h) {
    const { first, count } = this.window;
    const map = (image * this.frames + frame) * count + channel - first;
    return (map * this.orientations + h) * this.mixed.length;
  }

  /** The matrix that mixes a channel's maps back. @param {number} frame @param {number} channel */
  unturn(frame, channel) {
    return this.unturns[this.kinds[channel]][frame];
  }

  /** Values from −128 to 127: as they came out, or with the orientations mixed back.
   * @param {Where} where
   * @param {number} g
   * @param {boolean} stabilised
   */
  values(where, g, stabilised = false) {
    const matrix = this.unturn(where.frame, where.channel);
    return this.mix(where, (h) =>
      stabilised ? matrix[g * this.orientations + h] : Number(h === g),
    );
  }

  /** Values at rest, with the orientations mixed as the turn of a frame does it; the pixels do not
   * move.
   * @param {Where} where
   * @param {number} g
   */
  acted({ image, frame, channel }, g) {
    const matrix = this.unturn(frame, channel);
    return this.mix({ image, frame: 0, channel }, (h) => matrix[h * this.orientations + g]);
  }

  /** @param {Where} where @param {(h: number) => number} weights */
  mix(where, weights) {
    const { mixed, data } = this;
    mixed.fill(0);
    for (let h = 0; h < this.orientations; h++) {
      const weight = weights(h);
      if (Math.abs(weight) < 1e-6) continue;
      const from = this.start(where, h);
      for (let p = 0; p < mixed.length; p++) mixed[p] += weight * (data[from + p] - 128);
    }
    return mixed;
  }

  /** A picture of a channel: one of its maps, or its pair as arrows, which turn with the picture.
   * @param {Uint8Array} colours
   * @param {Where} where
   * @param {number} g
   * @param {boolean} stabilised
   */
  picture(colours, where, g, stabilised = false) {
    if (!this.frequencies) return this.paint(colours, this.values(where, g, stabilised));
    const pair = [0, 1].map((h) => this.values(where, h).slice());
    return this.paintPair(colours, pair, where.channel);
  }

  /** @param {Uint8Array} colours @param {Float32Array[]} pair @param {number} channel */
  paintPair(colours, pair, channel) {
    const frequency = this.frequencies?.[channel] ?? 0;
    if (!frequency) return this.paint(colours, pair[0]);
    const long = pair[0].map((value, p) => Math.hypot(value, pair[1][p]));
    const below = this.paint(colours, long);
    this.pointed ??= element("canvas", { width: 2 * RASTER, height: 2 * RASTER });
    return drawArrows(this.pointed, below, pair, this.side, frequency);
  }

  /** Draw such values into a tile, by a table of 256 colours.
   * @param {Uint8Array} colours
   * @param {Float32Array} values
   */
  paint(colours, values) {
    const { raster } = this;
    const side = raster ? RASTER : this.side;
    this.tile ??= element("canvas", { width: side, height: side });
    const pen = brush(this.tile);
    this.image ??= pen.createImageData(side, side);
    const out = this.image.data;
    for (let p = 0; p < side * side; p++) {
      const place = raster ? raster[p] : p;
      const level = 3 * Math.max(0, Math.min(255, Math.round(values[place] ?? 0) + 128));
      out[4 * p] = colours[level];
      out[4 * p + 1] = colours[level + 1];
      out[4 * p + 2] = colours[level + 2];
      out[4 * p + 3] = place < 0 ? 0 : 255;
    }
    pen.putImageData(this.image, 0, 0);
    return this.tile;
  }
}
