// @ts-check
// The page of AccuracyVsAngle: some test images under one handle, what each network takes them
// for, and below them the accuracy on all test images at every angle.

import { page } from "../page/canvas_view.js";
import { BOLD, bytes, describe, element, SMALL } from "../page/elements.js";
import { CURVE_HEIGHT, drawDisc, TurningView } from "../page/turning_view.js";

/** @typedef {CanvasRenderingContext2D} Pen */

const DASHES = [[], [8, 3], [3, 3], [10, 3, 2, 3]];
const GAP = 14;
const LINE = 18;
const LEGEND = 20;

/** Where everything stands, for a canvas of a given width.
 * @param {number} width
 * @param {number} images
 * @param {number} networks
 */
export function arrangeTiles(width, images, networks) {
  const rows = Math.ceil(images / Math.floor(width / 100));
  const columns = Math.ceil(images / rows);
  const cell = Math.min(150, (width - 16) / columns - GAP);
  const tile = cell + networks * LINE + 44;
  const across = width < 620 ? 1 : 2;
  const curve = 34 + rows * tile;
  const plot = curve + 26 + LEGEND * Math.ceil(networks / across);
  return { width, columns, cell, tile, across, curve, plot, height: plot + CURVE_HEIGHT };
}

class AccuracyView extends TurningView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-accuracy");
    this.halt = this.button("Stop", "Leave the other angles out", () => {
      this.set({ running: false });
    });
    this.said = describe(element("span", { className: "said" }), { role: "status" });
    this.build("test images", this.halt, this.said);
  }

  get traits() {
    return [...super.traits, "running", "problem", "_accuracy", "_taken"];
  }

  /** Of a network, one a frame; undefined where it has not run. @param {number} k
   * @returns {(number | undefined)[]}
   */
  accuracy(k) {
    return this.state.get("_accuracy")[k].map((/** @type {number | null} */ v) => v ?? undefined);
  }

  /** How many angles are there. */
  progress() {
    const all = this.accuracy(0);
    const known = all.filter((value) => value !== undefined).length;
    const problem = this.state.get("problem");
    if (problem) return `the kernel says: ${problem}`;
    return known < all.length ? `${known} of ${all.length} angles` : "";
  }

  tellControls() {
    super.tellControls();
    this.halt.hidden = !this.state.get("running");
    const words = this.progress();
    if (this.said.textContent !== words) this.said.textContent = words;
  }

  /** Where the disc of an image stands. @param {number} n */
  corner(n) {
    const { columns, cell, tile } = this.layout;
    const [column, row] = [n % columns, Math.floor(n / columns)];
    return { x: 8 + GAP / 2 + column * (cell + GAP), y: 54 + row * tile };
  }

  /** The middle of the disc that a point is on. @param {number} x @param {number} y */
  hub(x, y) {
    const middle = this.layout.cell / 2;
    return this.pictures
      .map((_, n) => this.corner(n))
      .map((at) => ({ x: at.x + middle, y: at.y + middle }))
      .find((at) => Math.hypot(x - at.x, y - at.y) <= middle + 4);
  }

  /** @param {number} width */
  arrange(width) {
    return arrangeTiles(width, this.pictures.length, this.spec.networks.length);
  }

  get explained() {
    const { keys } = super.explained;
    /** @type {import("../page/help.js").Rows} */
    const words = [
      ["✓ ✗", "below an image: a network takes it for the right class, or for this wrong one"],
      ["accuracy", "the share of all test images that a network gets right, turned by this angle"],
      [
        "computed",
        "the nearest angle at which the networks were run, for the ticks and the curves",
      ],
    ];
    return { keys, words };
  }

  draw() {
    if (!this.fit(1100)) return;
    const pen = this.pen();
    const right = this.layout.width - 8;
    const pose = `angle ${this.pose}`;
    this.text(pen, pose, right, 8, { font: BOLD, align: "right" });
    const room = right - pen.measureText(pose).width - 24;
    const hint = ["Drag an image to turn all", "Drag one"].find(
      (words) => pen.measureText(words).width <= room,
    );
    if (hint) this.text(pen, hint, 8, 8, { font: BOLD });
    this.pictures.forEach((picture, n) => {
      this.drawTile(pen, picture, n);
    });
    this.drawCurve(pen);
    this.tellControls();
    this.canvas.dataset.disc = JSON.stringify({ ...this.corner(0), side: this.layout.cell });
  }

  /** @param {Pen} pen @param {HTMLCanvasElement} picture @param {number} n */
  drawTile(pen, picture, n) {
    const { cell } = this.layout;
    const { x, y } = this.corner(n);
    const { classes, labels, mirrors, steps, networks } = this.spec;
    const taken = bytes(this.state.get("_taken"));
    const truth = `true: ${classes[labels[n]]}`;
    this.text(pen, truth, x + cell / 2, y - 19, { font: SMALL, align: "center", most: cell });
    const rim = this.hues.base;
    drawDisc(pen, picture, x, y, cell, { turn: this.turn, mirror: this.mirror, rim });
    for (let k = 0; k < networks.length; k++) {
      const frame = k * mirrors * steps + this.frame;
      const guess = taken[frame * this.pictures.length + n];
      if (this.accuracy(k)[this.frame] === undefined) continue;
      const right = guess === labels[n];
      const top = y + cell + 6 + k * LINE;
      this.mark(pen, right, x + 2, top, this.hue(networks[k].role));
      const style = { font: right ? SMALL : BOLD, most: cell - 20 };
      this.text(pen, classes[guess], x + 20, top, style);
    }
  }

  /** A tick or a cross, 12 pixels wide.
   * @param {Pen} pen
   * @param {boolean} right
   * @param {number} x
   * @param {number} y
   * @param {string} colour
   */
  mark(pen, right, x, y, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2.5;
    pen.beginPath();
    if (right) {
      pen.moveTo(x, y + 7);
      pen.lineTo(x + 4, y + 12);
      pen.lineTo(x + 12, y + 1);
    } else {
      pen.moveTo(x + 1, y + 2);
      pen.lineTo(x + 11, y + 12);
      pen.moveTo(x + 11, y + 2);
      pen.lineTo(x + 1, y + 12);
    }
    pen.stroke();
  }

  /** @param {Pen} pen */
  drawCurve(pen) {
    const { width, curve, plot, across } = this.layout;
    const { networks, images, steps } = this.spec;
    this.curveBox = { x: 56, y: plot + 4, width: width - 76, height: CURVE_HEIGHT - 34 };
    const title = `Accuracy on ${images} test images against the angle`;
    this.text(pen, title, 8, curve, { font: BOLD, most: width - 16 });
    const from = this.mirror ? steps : 0;
    const lines = [];
    for (const [k, { name, role }] of networks.entries()) {
      const accuracy = this.accuracy(k);
      const now = accuracy[this.frame];
      const [colour, dash] = [this.hue(role), DASHES[k]];
      const x = 56 + ((k % across) * (width - 76)) / across;
      const y = curve + 24 + LEGEND * Math.floor(k / across);
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(x, y + 7);
      pen.lineTo(x + 30, y + 7);
      pen.stroke();
      pen.setLineDash([]);
      const percent = now === undefined ? "–" : (100 * now).toFixed(1);
      this.text(pen, `${percent} %  ${name}`, x + 38, y, { most: (width - 76) / across - 46 });
      lines.push({ values: accuracy.slice(from, from + steps), colour, dash });
    }
    this.drawCurves(pen, lines, 1.04, [
      [0, "0 %"],
      [0.5, "50 %"],
      [1, "100 %"],
    ]);
  }
}

export default page(AccuracyView);
