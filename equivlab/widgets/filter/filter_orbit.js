// @ts-check
// The page of FilterOrbit: a filter to paint on, its copies under the group, and the map that
// each makes of the image. All is computed here, at each stroke of the brush.

import { brush, CanvasView, page } from "../page/canvas_view.js";
import { cellAt, ROW, rasterOf } from "../page/cells.js";
import {
  aligned,
  BOLD,
  bytes,
  describe,
  element,
  errorWords,
  SMALL,
  within,
} from "../page/elements.js";
import { Pager } from "../page/pager.js";
import { drawDisc } from "../page/turning_view.js";
import { arrangeOrbit } from "./layout.js";
import { largest, orbitOf, resampling, seenOf, square } from "./orbit.js";

/**
 * @typedef {CanvasRenderingContext2D} Pen
 * @typedef {import("./orbit.js").Values} Values
 */

const SHELF = 12; // filters to start from, on show at once

/** Names of the brushes, and what they paint, times the largest weight of the filter.
 * @type {[string, number][]}
 */
const BRUSHES = [
  ["+", 1],
  ["0", 0],
  ["−", -1],
];

const BRUSH_WORDS = ["a positive weight", "zero", "a negative weight"];

/** @param {string} name */
const brief = (name) => name.replace("mirror, ", "m ");

const CELLS = 240; // dots on a side of a drawn hexagon

/** Half the side of a picture of a whole hexagon. @param {number} side of its array */
const wholeOf = (side) => (side - 1) / 2 + 0.6;

class OrbitView extends CanvasView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-orbit");
    const { state, spec } = this;
    this.image = new Float32Array(aligned(state.get("_image")));
    const { size, turns, hexagons } = spec;
    const places = this.table(new Int32Array(aligned(state.get("_image_index"))));
    this.pixels = { size, turns, hexagons, places, seen: seenOf(size, spec) };
    this.moves = this.table(new Float32Array(aligned(state.get("_filter_moves"))));
    /** @type {Map<number, Int32Array>} of each size of hexagons, the cells of a picture */
    this.rasters = new Map();
    this.colours = bytes(state.get("_colours"));
    this.picture = this.readPictures(bytes(state.get("_picture")))[0];
    this.brush = 0;
    this.spot = Math.floor(spec.side ** 2 / 2);
    this.mirrored = spec.elements.length > turns;
    /** @type {number[][]} */
    this.filters = spec.filters;
    this.pager = new Pager(this, {
      pages: Math.ceil(this.filters.length / SHELF),
      what: "filters",
      words: (page) => {
        const last = Math.min((page + 1) * SHELF, this.filters.length);
        return `filters ${page * SHELF + 1} to ${last} of ${this.filters.length}`;
      },
    });
    this.gridBox = { x: 0, y: 0, side: 1 };
    this.shelf = element("span", { className: "shelf" });
    this.painting = false;
    /** @type {ReturnType<typeof orbitOf> | undefined} */
    this.found = undefined;
    this.build();
  }

  /** A table, one row for each element. @template {Int32Array | Float32Array} T @param {T} all
   * @returns {T[]}
   */
  table(all) {
    const length = all.length / this.spec.elements.length;
    return this.spec.elements.map((/** @type {string} */ _, /** @type {number} */ g) =>
      all.subarray(g * length, (g + 1) * length),
    );
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return ["weights", "element", "page"];
  }

  /** @param {string} name */
  changed(name) {
    if (name !== "page") this.found = undefined;
    super.changed(name);
  }

  get element() {
    return within(this.state.get("element"), this.spec.elements.length);
  }

  /** @returns {number[]} */
  get weights() {
    return this.state.get("weights");
  }

  /** Act by one element more. @param {number} g */
  act(g) {
    this.set({ element: this.spec.products[g][this.element] });
  }

  /** @param {number} by one turn of the group, or one back */
  turn(by) {
    const { turns } = this.spec;
    this.act((by + turns) % turns);
  }

  flipOver() {
    if (this.mirrored) this.act(this.spec.turns);
  }

  /** @param {number} spot */
  paintAt(spot) {
    this.spot = spot;
    const weights = [...this.weights];
    const most = largest([weights]);
    weights[spot] = BRUSHES[this.brush][1] * (most > 1e-9 ? most : 1);
    this.set({ weights });
  }

  blank() {
    this.set({ weights: this.weights.map(() => 0) });
  }

  /** @param {number} brush */
  choose(brush) {
    this.brush = brush;
    this.redraw();
  }

  /** Whether the filter has a weight there: not all places of a hexagon's array are cells.
   * @param {number} spot
   */
  isCell(spot) {
    const { side, hexagons } = this.spec;
    const reach = (side - 1) / 2;
    const sum = (spot % side) + Math.floor(spot / side) - 2 * reach;
    return !hexagons || Math.abs(sum) <= reach;
  }

  /** @param {number} across @param {number} down */
  moveSpot(across, down) {
    const { side } = this.spec;
    const row = within(Math.floor(this.spot / side) + down, side);
    const spot = row * side + within((this.spot % side) + across, side);
    if (this.isCell(spot)) this.spot = spot;
    this.redraw();
  }

  // --- the controls ----------------------------------------------------------------------------

  build() {
    describe(this.canvas, {
      role: "application",
      "aria-label":
        "A filter to paint on. Arrow keys turn the image; w, a, s, d move the brush, the space " +
        "bar paints.",
    });
    this.brushes = BRUSHES.map(([name], n) =>
      this.button(name, `Paint ${BRUSH_WORDS[n]} (${name})`, () => this.choose(n)),
    );
    const bar = element("div", { className: "bar" });
    const words = `Turn the image by ${this.spec.elements[1 % this.spec.turns]} (→)`;
    bar.append(this.button("Turn", words, () => this.turn(1)));
    if (this.mirrored) {
      bar.append(this.button("Mirror", "Mirror the image (m)", () => this.flipOver()));
    }
    bar.append(
      this.button("Reset", "The image as it was (r)", () => this.set({ element: 0 })),
      element("span", { textContent: "brush paints" }),
      ...this.brushes,
      this.button("Blank", "An empty filter", () => this.blank()),
      this.button("PNG", "Save this picture", () =>
        this.saveAs("orbit", (pen) => pen.drawImage(this.canvas, 0, 0)),
      ),
      this.shelf,
      ...this.pager.controls,
    );
    this.assemble(bar, ORBIT_STYLE, this.canvas);
  }

  /** A button for each filter on the shelf that one may start from. */
  fillShelf() {
    const { page } = this.pager;
    if (this.filters.length < 2 || this.shelf.dataset.page === String(page)) return;
    this.shelf.dataset.page = String(page);
    const { side } = this.spec;
    const some = this.filters.slice(page * SHELF, (page + 1) * SHELF);
    const picks = some.map((weights, n) =>
      this.pick(
        this.tile(weights, side, largest([weights])),
        `Filter ${page * SHELF + n + 1}`,
        () => this.set({ weights: [...weights] }),
      ),
    );
    this.shelf.replaceChildren(...picks);
  }

  /** @returns {{ keys: import("../page/help.js").Rows, words: import("../page/help.js").Rows }} */
  get explained() {
    /** @type {import("../page/help.js").Rows} */
    const keys = [["→ ←", "act on the image by the next turn, and back"]];
    if (this.mirrored) keys.push(["m", "mirror the image"]);
    keys.push(
      ["r", "the image as it was"],
      ["w a s d", "move the brush on the filter"],
      ["Space", "paint there"],
      ["+ 0 -", "the brush: a positive weight, none, a negative one"],
      ...this.pager.help,
    );
    return {
      keys,
      words: [
        ...this.names,
        ["was at", "before the image was acted on, this map stood there"],
        ["relative error", "|Φ(g·x) − g·Φ(x)| / |Φ(x)|: how far from the law, 0 being exact"],
        ["red, blue", "above and below zero; white is zero"],
      ],
    };
  }

  /** What the group adds to the words. @returns {import("../page/help.js").Rows} */
  get names() {
    const { elements, turns, resamples } = this.spec;
    const turn = elements[1 % turns];
    /** @type {import("../page/help.js").Rows} */
    const rows = [];
    if (this.mirrored) {
      rows.push([`m ${turn}`, `the mirror (left and right change places), then a turn by ${turn}`]);
    }
    if (resamples) {
      rows.push(
        ["0°", "what waves on rings can make of the painted filter: this turns by any angle"],
        ["resampling", "turning the image there and back, without any filter"],
      );
    }
    return rows;
  }

  keys() {
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.turn(1),
      ArrowUp: () => this.turn(1),
      ArrowLeft: () => this.turn(-1),
      ArrowDown: () => this.turn(-1),
      m: () => this.flipOver(),
      r: () => this.set({ element: 0 }),
      w: () => this.moveSpot(0, -1),
      s: () => this.moveSpot(0, 1),
      a: () => this.moveSpot(-1, 0),
      d: () => this.moveSpot(1, 0),
      " ": () => this.paintAt(this.spot),
      "+": () => this.choose(0),
      0: () => this.choose(1),
      "-": () => this.choose(2),
      ...this.pager.keys,
    };
    return acts;
  }

  /** The pixel of the filter under the pointer, or -1. @param {PointerEvent} event */
  under(event) {
    return this.spotAt(this.at(event));
  }

  /** @param {{ x: number, y: number }} point */
  spotAt(point) {
    const { x, y, side } = this.gridBox;
    const k = this.spec.side;
    if (this.spec.hexagons) {
      const scale = (2 * wholeOf(k)) / side;
      const [right, down] = [point.x - x - side / 2, point.y - y - side / 2];
      return cellAt(right * scale, down * scale, (k - 1) / 2);
    }
    const column = Math.floor(((point.x - x) / side) * k);
    const row = Math.floor(((point.y - y) / side) * k);
    return Math.min(row, column) < 0 || Math.max(row, column) >= k ? -1 : row * k + column;
  }

  /** @param {number} x @param {number} y */
  grips(x, y) {
    return this.spotAt({ x, y }) >= 0;
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const spot = this.under(event);
    if (spot < 0) return;
    this.hold(event);
    this.painting = true;
    this.paintAt(spot);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const spot = this.painting ? this.under(event) : -1;
    if (spot >= 0 && spot !== this.spot) this.paintAt(spot);
  }

  drop() {
    this.painting = false;
  }

  // --- the drawing -----------------------------------------------------------------------------

  /** Numbers as colours, in a canvas of as many pixels.
   * @param {Values} values
   * @param {number} side
   * @param {number} limit
   */
  tile(values, side, limit) {
    const raster = this.spec.hexagons ? this.rasterFor(side) : undefined;
    const size = raster ? CELLS : side;
    const canvas = element("canvas", { width: size, height: size });
    const pen = brush(canvas);
    const image = pen.createImageData(size, size);
    for (let p = 0; p < size * size; p++) {
      const place = raster ? raster[p] : p;
      if (place < 0) continue;
      const level = 3 * within(Math.round(128 + (127 * values[place]) / limit), 256);
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = this.colours[level + c];
      image.data[4 * p + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    return canvas;
  }

  /** @param {number} side of hexagons */
  rasterFor(side) {
    const raster = this.rasters.get(side) ?? rasterOf(side, CELLS, wholeOf(side));
    this.rasters.set(side, raster);
    return raster;
  }

  /** @param {number} width */
  arrange(width) {
    const { elements, turns, resamples } = this.spec;
    return arrangeOrbit(width, elements.length, turns, resamples ? 3 : 2);
  }

  draw() {
    if (!this.fit(1100)) return;
    const { weights, image, moves, pixels } = this;
    const { products, side } = this.spec;
    this.found ??= orbitOf({ weights, image, moves, pixels, products, side }, this.element);
    const pen = this.pen();
    pen.imageSmoothingEnabled = false;
    this.drawInput(pen, this.found);
    this.drawOrbit(pen, this.found);
    this.brushes?.forEach((node, n) => {
      describe(node, { "aria-pressed": n === this.brush });
    });
    this.fillShelf();
    this.pager.tell();
    this.painted += 1;
    // For tests.
    Object.assign(this.canvas.dataset, {
      painted: this.painted,
      element: this.element,
      brush: this.brush,
      spot: this.spot,
      grid: JSON.stringify(this.gridBox),
      errors: JSON.stringify(this.found.errors),
      norms: JSON.stringify(this.found.maps.map((map) => Math.sqrt(square(map)))),
    });
  }

  /** @param {Pen} pen @param {ReturnType<typeof orbitOf>} found */
  drawInput(pen, found) {
    const { side, narrow } = this.layout;
    const { spec } = this;
    const { turns } = spec;
    const name = spec.elements[this.element];
    const x = 8;
    const most = narrow ? side : side + 30;
    const title = this.element ? `image, acted on: ${brief(name)}` : "image";
    this.text(pen, title, x, 8, { font: BOLD, most });
    const turn = (2 * Math.PI * (this.element % turns)) / turns;
    const mirror = this.element >= turns;
    const round = spec.hexagons || spec.resamples;
    drawDisc(pen, this.picture, x, 30, side, { turn, mirror, round, rim: this.hues.base });
    const at = narrow ? { x: x + side + 16, y: 30 } : { x, y: side + 66 };
    this.gridBox = { ...at, side };
    this.text(pen, "filter: paint on it", at.x, at.y - 22, { font: BOLD, most: side });
    pen.drawImage(this.tile(this.weights, spec.side, found.limits.orbit), at.x, at.y, side, side);
    pen.strokeStyle = this.hues.base;
    pen.lineWidth = 1;
    for (let spot = 0; spot < spec.side ** 2; spot++) this.outline(pen, spot);
    pen.strokeStyle = this.hues.equivariant[0];
    pen.lineWidth = 3;
    this.outline(pen, this.spot, 1.5);
    this.drawErrors(pen, x, (narrow ? 30 : at.y) + side + 12, found.errors);
  }

  /** The edge of a pixel or cell of the painted filter.
   * @param {Pen} pen
   * @param {number} spot
   * @param {number} inset
   */
  outline(pen, spot, inset = 0) {
    const { x, y, side } = this.gridBox;
    const k = this.spec.side;
    const [row, column, step] = [Math.floor(spot / k), spot % k, side / k];
    if (!this.spec.hexagons) {
      const size = step - 2 * inset;
      pen.strokeRect(x + column * step + inset, y + row * step + inset, size, size);
      return;
    }
    if (!this.isCell(spot)) return;
    const scale = side / (2 * wholeOf(k));
    const [q, r] = [column - (k - 1) / 2, row - (k - 1) / 2];
    const middle = { x: x + side / 2 + scale * (q + r / 2), y: y + side / 2 + scale * ROW * r };
    const reach = scale / Math.sqrt(3) - inset;
    pen.beginPath();
    for (let n = 0; n < 6; n++) {
      const angle = Math.PI / 6 + (n * Math.PI) / 3;
      pen.lineTo(middle.x + reach * Math.cos(angle), middle.y + reach * Math.sin(angle));
    }
    pen.closePath();
    pen.stroke();
  }

  /** @param {Pen} pen @param {number} x @param {number} y @param {number[]} errors */
  drawErrors(pen, x, y, [all, alone]) {
    const [model, other] = [this.hues.equivariant[0], this.hues.plain[0]];
    this.text(pen, "relative error of the law", x, y, { font: BOLD });
    this.text(pen, `all maps: ${errorWords(all)}`, x, y + 22, { colour: model });
    this.text(pen, `the first map alone: ${errorWords(alone)}`, x, y + 44, { colour: other });
    if (!this.spec.resamples) return;
    const inverse = this.spec.products[this.element].indexOf(0);
    const cost = resampling(this.pixels, this.element, inverse, this.image);
    this.text(pen, `resampling: ${errorWords(cost)}`, x, y + 66, { colour: this.hues.base });
  }

  /** @param {Pen} pen @param {ReturnType<typeof orbitOf>} found */
  drawOrbit(pen, { orbit, maps, limits }) {
    const { left, top, columns, cell, block, width } = this.layout;
    const { elements, products, side, size } = this.spec;
    const title = this.layout.narrow
      ? "the filter turned, and the map of each"
      : "the filter in all its orientations, and the map that each makes";
    this.text(pen, title, left, top, { font: BOLD, most: width - left - 8 });
    for (const [h, name] of elements.entries()) {
      const x = left + (h % columns) * (cell + 8);
      const y = top + 26 + Math.floor(h / columns) * block;
      const style = { font: SMALL, align: /** @type {const} */ ("center"), most: cell };
      this.text(pen, brief(name), x + cell / 2, y, style);
      pen.drawImage(this.tile(orbit[h], side, limits.orbit), x, y + 18, cell, cell);
      pen.drawImage(this.tile(maps[h], size, limits.maps), x, y + cell + 24, cell, cell);
      const from = products[this.element].indexOf(h); // gh' = h: whose map it was
      const was = cell < 75 ? "was" : "was at";
      const words = this.element ? `${was} ${brief(elements[from])}` : "";
      this.text(pen, words, x + cell / 2, y + 2 * cell + 28, style);
    }
  }
}

const ORBIT_STYLE = `
.equivlab-orbit canvas[tabindex] { cursor: crosshair; }
.equivlab-orbit .shelf { display: flex; flex-wrap: wrap; gap: 4px; }
.equivlab-orbit button.pick canvas { width: 28px; height: 28px; image-rendering: pixelated; }
`;

export default page(OrbitView);
