// @ts-check
// The page of TrainLive: curves and pictures of a network while it is trained, and buttons that
// ask the kernel to train, rest and end. All that was seen stays here, to go back through.

import { CanvasView, page } from "../page/canvas_view.js";
import { BOLD, bytes, describe, element, SMALL, within } from "../page/elements.js";
import { KernelLoop } from "../page/kernel_loop.js";
import { drawDisc } from "../page/turning_view.js";
import { arrangeTraining, tileAt } from "./layout.js";
import { Looks, ranges, Tile } from "./looks.js";
import {
  buttonWords,
  explainedTraining,
  lossAt,
  lossWords,
  momentWords,
  percent,
  phaseWords,
} from "./words.js";

const POLL = 2000; // ms after which a page in the midst of training asks whether anybody is there
const PLAY = 150; // ms for one moment of a recording

/** When a training ended under the reader's hands: the notebook shows the view anew, with the
 * picture of the end, and the focus belongs there again.
 * @type {WeakMap<object, number>}
 */
const heldFocus = new WeakMap();
const SOON = 3000; // ms

/**
 * @typedef {CanvasRenderingContext2D} Pen
 * @typedef {import("./layout.js").Box} Box
 */

class TrainView extends CanvasView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-train");
    const { state, spec } = this;
    this.picture = this.readPictures(bytes(state.get("_picture")))[0];
    this.looks = new Looks(spec.filters, spec.maps);
    const colours = bytes(state.get("_colours"));
    this.tiles = {
      filters: new Tile(colours, spec.filters.at(-1)),
      maps: new Tile(colours, spec.maps.at(-1)),
    };
    this.loop = new KernelLoop(
      this.invoke,
      {
        hear: () => this.redraw(),
        changed: () => this.redraw(),
      },
      1,
    );
    this.asked = 0;
    this.held = false;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.playing = undefined;
    this.slider = element("input", { type: "range", min: "0", step: "1" });
    this.main = this.button("Train", "Train and pause (space bar)", () => this.toggle());
    this.one = this.button("Step", "Take one step (s)", () => this.tell("step"));
    this.end = this.button("Stop", "End the training (x)", () => this.tell("stop"));
    this.newest = this.button("Newest", "Back to the newest (r)", () => this.reset());
    this.said = describe(element("span", { className: "said" }), { role: "status" });
    this.build();
    this.collect("_looks");
    this.collect("_latest");
    this.tell("tell");
    this.polling = setInterval(() => this.poll(), POLL);
    if (performance.now() - (heldFocus.get(spec) ?? -SOON) < SOON) {
      requestAnimationFrame(() => this.canvas.focus({ preventScroll: true }));
    }
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return ["phase", "problem", "frame", "_losses", "_records", "_looks", "_latest"];
  }

  /** @param {string} name */
  changed(name) {
    if (name !== "frame") {
      this.fresh = true;
      this.loop.tell(false); // who sends is there
    }
    if (name === "phase" && this.ended && this.el.contains(document.activeElement)) {
      heldFocus.set(this.spec, performance.now());
    }
    this.collect(name);
    super.changed(name);
  }

  /** Keep the looks that have come. @param {string} name */
  collect(name) {
    const { state } = this;
    if (name === "_looks" && state.get("_kept").length) {
      this.looks.keep(bytes(state.get("_looks")), state.get("_kept"));
    }
    if (name === "_latest")
      this.looks.add(this.rows[this.rows.length - 1][0], bytes(state.get("_latest")));
  }

  /** @returns {import("./looks.js").Row[]} */
  get rows() {
    return this.state.get("_records");
  }

  /** @returns {[number, number][]} */
  get losses() {
    return this.state.get("_losses");
  }

  /** Which of the rows is on show. */
  get frame() {
    const frame = this.state.get("frame");
    return frame < 0 ? this.rows.length - 1 : within(frame, this.rows.length);
  }

  get row() {
    return this.rows[this.frame];
  }

  get phase() {
    return this.state.get("phase");
  }

  get ended() {
    return ["done", "stopped", "failed"].includes(this.phase);
  }

  /** Whether nothing trains here: it has ended, or there is no kernel. */
  get recorded() {
    return this.ended || this.loop.silent;
  }

  // --- what one can do -------------------------------------------------------------------------

  /** Ask the kernel for something. @param {string} what */
  tell(what) {
    if (this.ended) return;
    this.asked += 1;
    this.loop.ask({ do: what, number: this.asked });
  }

  /** In the midst of training, and nothing has come: is anybody there? */
  poll() {
    if (!this.fresh && ["training", "paused"].includes(this.phase)) this.tell("tell");
    this.fresh = false;
  }

  toggle() {
    if (this.recorded) return this.play(!this.playing);
    this.tell(this.phase === "training" ? "pause" : "train");
  }

  /** Go through what was seen, from the beginning if it stands at the end. @param {boolean} on */
  play(on) {
    clearInterval(this.playing);
    this.playing = undefined;
    if (on && this.rows.length > 1) {
      if (this.frame === this.rows.length - 1) this.goTo(0);
      this.playing = setInterval(() => this.advance(), PLAY);
    }
    this.redraw();
  }

  advance() {
    if (this.frame === this.rows.length - 1) return this.play(false);
    this.goTo(this.frame + 1);
  }

  /** @param {number} frame */
  goTo(frame) {
    const last = this.rows.length - 1;
    const found = within(frame, last + 1);
    const follows = found === last && !this.recorded;
    this.set({ frame: follows ? -1 : found });
  }

  reset() {
    this.play(false);
    this.set({ frame: -1 });
  }

  /** @param {KeyboardEvent} event */
  keys(event) {
    const by = event.shiftKey ? 10 : 1;
    /** @type {Record<string, () => void>} */
    const acts = {
      " ": () => this.toggle(),
      s: () => this.tell("step"),
      x: () => this.tell("stop"),
      ArrowRight: () => this.goTo(this.frame + by),
      ArrowLeft: () => this.goTo(this.frame - by),
      ArrowUp: () => this.goTo(this.frame + by),
      ArrowDown: () => this.goTo(this.frame - by),
      Home: () => this.goTo(0),
      End: () => this.goTo(this.rows.length - 1),
      r: () => this.reset(),
    };
    return acts;
  }

  get explained() {
    return explainedTraining(this.spec);
  }

  build() {
    describe(this.canvas, {
      role: "slider",
      "aria-label": "What was seen while it trained. Arrow keys go through it.",
      "aria-valuemin": 0,
    });
    describe(this.slider, { "aria-label": "Moment of the training" });
    const bar = element(
      "div",
      { className: "bar" },
      this.main,
      this.one,
      this.end,
      this.slider,
      this.newest,
      this.button("PNG", "Save this picture", () => this.save()),
      this.said,
    );
    this.assemble(bar, TRAIN_STYLE, this.canvas);
    this.on(this.slider, "input", () => this.goTo(Number(this.slider.value)));
  }

  save() {
    this.saveAs(`step${this.row[0]}`, (pen) => pen.drawImage(this.canvas, 0, 0));
  }

  // --- the hand on the curves ------------------------------------------------------------------

  /** @param {number} x @param {number} y */
  grips(x, y) {
    const { loss, accuracy } = this.layout;
    const inside = x >= loss.x - 8 && x <= loss.x + loss.width + 8;
    return inside && y >= loss.y && y <= accuracy.y + accuracy.height;
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const { x, y } = this.at(event);
    if (!this.grips(x, y)) return;
    this.held = true;
    this.hold(event);
    this.drag(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (!this.held) return;
    const { loss } = this.layout;
    const step = ((this.at(event).x - loss.x) / loss.width) * this.total;
    const far = this.rows.map((row) => Math.abs(row[0] - step));
    this.goTo(far.indexOf(Math.min(...far)));
  }

  drop() {
    this.held = false;
  }

  // --- the drawing -----------------------------------------------------------------------------

  get total() {
    return this.spec.steps * this.spec.epochs;
  }

  /** @param {number} width */
  arrange(width) {
    return arrangeTraining(width, this.spec.filters, this.spec.maps);
  }

  draw() {
    if (!this.fit(980)) return;
    const pen = this.pen();
    const { width, narrow, loss, accuracy } = this.layout;
    const { title, role } = this.spec;
    const colour = this.hue(role);
    const moment = momentWords(this.row[0], this.spec);
    this.text(pen, title, 8, 8, { font: BOLD, colour });
    const at = narrow ? { x: 8, y: 28 } : { x: width - 8, y: 8 };
    const align = narrow ? /** @type {const} */ ("left") : /** @type {const} */ ("right");
    this.text(pen, moment, at.x, at.y, { align, most: width - 16 });
    this.drawLosses(pen, loss, colour);
    this.drawAccuracies(pen, accuracy, colour);
    this.drawPictures(pen);
    this.tellControls();
  }

  /** Axes, ticks, the epochs, and the moment on show.
   * @param {Pen} pen
   * @param {Box} box
   * @param {string} heading
   * @param {[number, string][]} ticks parts of the height, and words
   */
  drawFrame(pen, box, heading, ticks) {
    const { base } = this.hues;
    this.text(pen, heading, box.x, box.y - 20, { font: BOLD, most: box.width });
    pen.strokeStyle = base;
    pen.lineWidth = 1;
    pen.strokeRect(box.x, box.y, box.width, box.height);
    for (const [part, words] of ticks) {
      const y = box.y + box.height * (1 - part);
      this.text(pen, words, box.x - 6, y - 7, { font: SMALL, align: "right" });
    }
    this.dashed(pen, box, this.across(box, this.row[0]));
  }

  /** @param {Box} box @param {number} step */
  across(box, step) {
    return box.x + (box.width * step) / this.total;
  }

  /** @param {Pen} pen @param {Box} box @param {string} colour */
  drawLosses(pen, box, colour) {
    const { losses } = this;
    const most = 1.05 * Math.max(1e-9, ...losses.map(([, value]) => value));
    const now = this.row[0] ? lossWords(lossAt(losses, this.row[0])) : "–";
    const ticks = /** @type {[number, string][]} */ (
      losses.length ? [0, 0.5, 1].map((part) => [part, lossWords(part * most)]) : [[0, "0"]]
    );
    this.drawFrame(pen, box, `loss ${now}`, ticks);
    const points = losses.map(([step, value]) => [step, value / most]);
    this.drawLine(pen, box, points, colour, []);
  }

  /** @param {Pen} pen @param {Box} box @param {string} colour */
  drawAccuracies(pen, box, colour) {
    const [, upright, turned] = this.row;
    const heading = `accuracy: upright ${percent(upright)}, turned ${percent(turned)}`;
    this.drawFrame(pen, box, heading, [
      [0, "0 %"],
      [0.5, "50 %"],
      [1, "100 %"],
    ]);
    for (const [place, dash] of /** @type {[1 | 2, number[]][]} */ ([
      [1, []],
      [2, [5, 4]],
    ])) {
      const known = this.rows.filter((row) => row[place] !== null);
      const points = known.map((row) => [row[0], Number(row[place])]);
      this.drawLine(pen, box, points, place === 1 ? colour : this.ink, dash);
    }
    const { epochs } = this.spec;
    const stride = Math.ceil(epochs / 10);
    const y = box.y + box.height + 5;
    for (let epoch = 0; epoch <= epochs; epoch += stride) {
      const x = this.across(box, epoch * this.spec.steps);
      this.text(pen, String(epoch), x, y, { font: SMALL, align: "center" });
    }
    const middle = box.x + box.width / 2;
    this.text(pen, "epochs  (— upright, - - turned)", middle, y + 16, {
      font: SMALL,
      align: "center",
    });
  }

  /** A line of points, and a dot where there is but one.
   * @param {Pen} pen
   * @param {Box} box
   * @param {number[][]} points step, part of the height
   * @param {string} colour
   * @param {number[]} dash
   */
  drawLine(pen, box, points, colour, dash) {
    Object.assign(pen, { strokeStyle: colour, fillStyle: colour, lineWidth: 2 });
    const places = points.map(([step, part]) => [
      this.across(box, step),
      box.y + box.height * (1 - part),
    ]);
    pen.setLineDash(dash);
    pen.beginPath();
    for (const [x, y] of places) pen.lineTo(x, y);
    pen.stroke();
    pen.setLineDash([]);
    if (points.length > 12) return;
    for (const [x, y] of places) {
      pen.beginPath();
      pen.arc(x, y, 3, 0, 7);
      pen.fill();
    }
  }

  /** @param {Pen} pen */
  drawPictures(pen) {
    const { picture, filters, maps, column } = this.layout;
    const { x, y, side } = picture;
    this.text(pen, `test image ${this.spec.which}`, x, y - 18, { font: SMALL, most: side + 14 });
    drawDisc(pen, this.picture, x, y, side, { round: false, rim: this.hues.base });
    const step = this.looks.nearest(this.row[0]);
    const late = step === this.row[0] ? "" : `, of step ${step}`;
    if (this.spec.filters[0]) {
      this.text(pen, `first filters${late}`, filters.x, filters.y - 20, { font: BOLD });
      this.drawTiles(pen, step, "filters", filters);
    }
    if (this.spec.maps[0]) {
      const words = `maps of layer ${this.spec.layer}${late}`;
      this.text(pen, words, maps.x, maps.y - 20, { font: BOLD, most: column });
      this.drawTiles(pen, step, "maps", maps);
    }
  }

  /**
   * @param {Pen} pen
   * @param {number} step
   * @param {"filters" | "maps"} kind
   * @param {import("./layout.js").Grid} grid
   */
  drawTiles(pen, step, kind, grid) {
    const rows = this.rows;
    const own = rows.find((row) => row[0] === step) ?? rows[0];
    const share = own[kind === "filters" ? 3 : 4] / ranges(rows)[kind];
    pen.imageSmoothingEnabled = false;
    this.looks.pictures(step, kind).forEach((levels, n) => {
      const at = tileAt(grid, n);
      pen.drawImage(this.tiles[kind].paint(levels, share), at.x, at.y, grid.side, grid.side);
    });
    pen.imageSmoothingEnabled = true;
  }

  /** Say where it stands, to the controls, to readers of the screen and to tests. */
  tellControls() {
    const { frame, phase, recorded, rows } = this;
    const last = rows.length - 1;
    const [step, upright, turned] = this.row;
    this.slider.max = String(last);
    if (Number(this.slider.value) !== frame) this.slider.value = String(frame);
    describe(this.canvas, {
      "aria-valuemax": last,
      "aria-valuenow": frame,
      "aria-valuetext": `${momentWords(step, this.spec)}: accuracy upright ${percent(upright)}, turned ${percent(turned)}`,
    });
    const playing = this.playing !== undefined;
    this.main.textContent = buttonWords(phase, recorded, playing);
    // Not hidden, so that one that has ended its own use keeps the focus.
    for (const button of [this.one, this.end]) describe(button, { "aria-disabled": recorded });
    const { silent } = this.loop;
    const words = phaseWords({ phase, problem: this.state.get("problem"), silent, playing });
    if (this.said.textContent !== words) this.said.textContent = words;
    this.painted += 1;
    Object.assign(this.canvas.dataset, { painted: this.painted, phase, silent, step });
  }

  close() {
    super.close();
    this.loop.close();
    clearInterval(this.polling);
    clearInterval(this.playing);
  }
}

const TRAIN_STYLE = `
.equivlab-train input[type=range] { flex: 1 1 140px; max-width: 320px;
  accent-color: var(--equivlab-model); }
.equivlab-train canvas[tabindex] { cursor: default; }
`;

export default page(TrainView);
