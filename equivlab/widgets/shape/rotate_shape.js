// @ts-check
// The page of RotateShape. WebGL draws the shapes, a 2-D canvas above it the words and the curve.
// With a kernel each rotation is asked for. Without one the shape moves through the rotations that
// came with the page, so that features and numbers always belong to what is shown.

import { budgetWords } from "../page/budget.js";
import { CanvasView, page } from "../page/canvas_view.js";
import { Dots } from "../page/dots.js";
import {
  aligned,
  BOLD,
  bytes,
  DEGREES,
  describe,
  element,
  errorWords,
  SMALL,
  within,
} from "../page/elements.js";
import { KernelLoop } from "../page/kernel_loop.js";
import { Pager } from "../page/pager.js";
import { drawAxes } from "./axes.js";
import { drawGlyphs } from "./glyphs.js";
import { arrangeShapes } from "./layout.js";
import { about, angleOf, eye, flipped, matrix, times, unit } from "./quaternions.js";
import { answered, dotOf, nearest, Recorded, stepped } from "./recorded.js";
import { Scene } from "./scene.js";
import { drawShares, sharesOf } from "./shares.js";
import { arrangeSquareShapes, drawSquareScenes, drawSquareTitles } from "./square.js";
import { explainedShape } from "./words.js";

/**
 * @typedef {CanvasRenderingContext2D} Pen
 * @typedef {import("./layout.js").Square} Square
 */

const UPRIGHT = [1, 0, 0, 0];
const SWITCHES = { arrows: "Arrows", ellipsoids: "Ellipsoids", colour: "Colour" };

class ShapeView extends CanvasView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-shape");
    const { state, spec } = this;
    this.depths = element("canvas");
    this.scene = new Scene(this.depths, spec.azimuth);
    this.axes = [0, 3, 6].map((n) => eye(spec.azimuth).slice(n, n + 3));
    this.colours = bytes(state.get("_colours"));
    this.places = new Float32Array(aligned(state.get("_places")));
    this.drawn = bytes(state.get("_drawn"));
    this.recorded = new Recorded(spec, state);
    this.pager = new Pager(this, {
      pages: spec.pages,
      what: "channels",
      words: (page) => `channels by strength: ${page + 1} of ${spec.pages}`,
    });
    this.reading = this.recorded.at(this.shape, this.rotation);
    this.dots = new Dots(this, this.recorded.dots());
    this.patience = 400; // questions say the same, more often
    this.loop = new KernelLoop(this.invoke, {
      hear: (answer, buffers, question) => this.hear(answer, buffers, question),
      changed: () => this.changed(),
    });
    /** @type {Record<string, boolean>} */
    this.show = { colour: true, arrows: true, ellipsoids: true };
    /** @type {string | undefined} */
    this.problem = undefined;
    this.slack = { z: 0, right: 0 };
    /** @type {number[] | undefined} */
    this.held = undefined;
    /** @type {HTMLButtonElement[]} */
    this.switches = [];
    /** @type {HTMLButtonElement[]} */
    this.picks = [];
    this.stage = element("div", { className: "stage" }, this.depths, this.canvas);
    this.build();
    this.loop.ask(this.question);
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return ["rotation", "shape", "page", "square", "_shown"];
  }

  get square() {
    return Boolean(this.state.get("square"));
  }

  toggleSquare() {
    this.set({ square: !this.square });
  }

  get shape() {
    return within(this.state.get("shape"), this.spec.counts.length);
  }

  get rotation() {
    return unit(this.state.get("rotation"));
  }

  get question() {
    return { shape: this.shape, rotation: this.rotation, page: this.pager.page };
  }

  /** Whether a kernel answers; else the shape stands as one of those that came with the page. */
  get live() {
    return this.loop.answered > 0 && !this.loop.silent;
  }

  /** Whether there is neither a kernel nor another pose: the shape turns, its features cannot. */
  get frozen() {
    return this.loop.silent && this.spec.turns === 0;
  }

  /** Whether the channels of the page on show have come. */
  get hasChannels() {
    return this.state.get("_shown").page === this.pager.page;
  }

  /** The networks, with their titles and colours. */
  get networks() {
    return this.spec.views.map((/** @type {any} */ _, /** @type {number} */ n) => ({
      shown: this.hasChannels ? this.state.get("_shown").views[n] : [],
      title: this.spec.titles[n],
      colour: this.hue(this.spec.roles[n]),
    }));
  }

  /** The state has changed, here or in the kernel, or the kernel has fallen silent. */
  changed(name = "") {
    if (name === "_shown") this.recorded = new Recorded(this.spec, this.state);
    const known = this.live || this.frozen;
    if (!known || this.reading.shape !== this.shape) {
      this.reading = this.recorded.at(this.shape, this.rotation);
    }
    this.loop.ask(this.question);
    this.redraw();
  }

  /** An answer of the kernel.
   * @param {any} answer
   * @param {DataView[]} buffers
   * @param {{ shape: number, rotation: number[] }} question
   */
  hear(answer, buffers, question) {
    this.problem = answer.problem;
    if (!answer.problem) {
      this.reading = answered(answer, buffers, question, this.spec.levels);
      this.dots.add(this.reading.shape, dotOf(this.reading));
    }
    this.redraw();
  }

  /** Turn by an angle about an axis of the room: freely, or to the next rotation that is here.
   * @param {"z" | "right" | "back"} axis
   * @param {number} angle
   */
  turn(axis, angle) {
    const { poses, turns } = this.spec;
    if (this.live || this.frozen) {
      const [right, , back] = this.axes;
      const q = about({ z: [0, 0, 1], right, back }[axis], angle);
      this.set({ rotation: unit(times(q, this.rotation)) });
    } else if (turns && axis !== "back") {
      const now = nearest(poses, this.rotation);
      this.set({ rotation: poses[stepped(now, this.spec, axis, angle, this.slack)] });
    }
  }

  reset() {
    this.set({ rotation: UPRIGHT });
  }

  random() {
    const { poses } = this.spec;
    const any = () =>
      Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    const free = this.live || this.frozen;
    const pose = poses[Math.floor(Math.random() * poses.length)];
    this.set({ rotation: free ? unit([any(), any(), any(), any()]) : pose });
  }

  // --- the controls ----------------------------------------------------------------------------

  build() {
    describe(this.canvas, {
      role: "slider",
      "aria-label":
        "Rotation of the shape. Left and right arrows turn it, up and down tilt it, brackets " +
        "roll it, r resets it.",
      "aria-valuemin": 0,
      "aria-valuemax": 180,
    });
    this.switches = Object.entries(SWITCHES).flatMap(([name, words]) =>
      this.networks.some((/** @type {any} */ { shown }) => shown.includes(name))
        ? [this.switchOf(name, words)]
        : [],
    );
    this.squared = this.button("Square", "Both ways round: network and turn (s)", () =>
      this.toggleSquare(),
    );
    const { counts } = this.spec;
    this.picks = counts.map((/** @type {number} */ _, /** @type {number} */ n) =>
      describe(
        this.button(`shape ${n + 1}`, `Shape ${n + 1}`, () => this.set({ shape: n })),
        { "aria-label": `Shape ${n + 1}` },
      ),
    );
    const bar = element(
      "div",
      { className: "bar" },
      this.button("Reset", "Upright again (r)", () => this.reset()),
      this.button("Random", "Any rotation", () => this.random()),
      ...this.switches,
      this.squared,
      this.button("PNG", "Save this picture", () => this.save()),
      ...this.pager.controls,
      ...(counts.length > 1 ? this.picks : []),
    );
    this.assemble(bar, SHAPE_STYLE, this.stage);
  }

  /** @returns {{ keys: import("../page/help.js").Rows, words: import("../page/help.js").Rows }} */
  get explained() {
    return explainedShape(this.pager.help, this.spec.kind === "voxels");
  }

  /** @param {string} name @param {string} words */
  switchOf(name, words) {
    const node = this.button(words, `Show or hide: ${name}`, () => {
      this.show[name] = !this.show[name];
      this.redraw();
    });
    node.dataset.name = name;
    return node;
  }

  listen() {
    super.listen();
    this.on(this.depths, "webglcontextlost", (event) => event.preventDefault());
    this.on(this.depths, "webglcontextrestored", () => {
      this.scene.setUp();
      this.redraw();
    });
  }

  /** @param {KeyboardEvent} event */
  keys({ shiftKey }) {
    const free = this.live || this.frozen;
    const step = free ? 5 * DEGREES : (2 * Math.PI) / (this.spec.turns || 1);
    const by = shiftKey ? Math.PI / 2 : step;
    const tilt = shiftKey || free ? by : Math.PI / 4;
    this.slack = { z: 0, right: 0 };
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.turn("z", by),
      ArrowLeft: () => this.turn("z", -by),
      ArrowDown: () => this.turn("right", tilt),
      ArrowUp: () => this.turn("right", -tilt),
      "[": () => this.turn("back", by),
      "]": () => this.turn("back", -by),
      "{": () => this.turn("back", by),
      "}": () => this.turn("back", -by),
      r: () => this.reset(),
      s: () => this.toggleSquare(),
      Home: () => this.reset(),
      ...this.pager.keys,
    };
    return acts;
  }

  /** @param {number} x @param {number} y */
  grips(x, y) {
    /** @type {Square[]} */
    const squares = this.square
      ? [this.layout.input, ...this.layout.nets.map((/** @type {any} */ { acted }) => acted)]
      : [this.layout.input, ...this.layout.out, ...this.layout.back];
    return squares.some(([l, t, s]) => x >= l && x <= l + s && y >= t && y <= t + s);
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const { x, y } = this.at(event);
    if (!this.grips(x, y)) return;
    this.hold(event);
    this.held = [event.clientX, event.clientY];
    this.slack = { z: 0, right: 0 };
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (!this.held) return;
    const speed = (Math.PI / this.layout.side / this.zoom) * 0.9; // most of a half turn across a picture
    const [dx, dy] = [event.clientX - this.held[0], event.clientY - this.held[1]];
    this.held = [event.clientX, event.clientY];
    if (dx) this.turn("z", dx * speed);
    if (dy) this.turn("right", dy * speed);
  }

  drop() {
    this.held = undefined;
    this.loop.hurry();
  }

  // --- the drawing -----------------------------------------------------------------------------

  get canvases() {
    return [this.depths, this.canvas];
  }

  /** @param {number} width */
  arrange(width) {
    return (this.square ? arrangeSquareShapes : arrangeShapes)(width, this.spec.views.length);
  }

  fitted() {
    const { width, height } = this.canvas.style;
    Object.assign(this.stage.style, { width, height });
    this.canvas.dataset.boxes = JSON.stringify(this.layout); // for tests
  }

  /** What is shown, without numbers where the features could not follow the shape. */
  get known() {
    const { reading } = this;
    if (!this.frozen || this.loop.isSettled(this.question)) return reading;
    return { ...reading, errors: reading.errors.map(() => undefined), baseline: undefined };
  }

  draw() {
    if (!this.fit(980)) return;
    const pen = this.pen();
    const { known } = this;
    if (this.scene.gl && !this.scene.gl.isContextLost()) this.drawScenes();
    if (this.square) drawSquareTitles(this, pen, known.errors);
    else this.drawNumbers(pen, known);
    drawShares(this, pen, known);
    this.drawState(pen);
    this.tellControls(known);
    this.painted += 1;
    // For tests and benchmarks.
    Object.assign(this.canvas.dataset, {
      painted: this.painted,
      answers: this.loop.answered,
      live: this.live,
      silent: this.loop.silent,
      state: this.stateLine(),
      errors: JSON.stringify(known.errors),
      square: this.square,
    });
  }

  /** Titles, numbers and the curve. @param {Pen} pen @param {import("./recorded.js").Reading} known */
  drawNumbers(pen, known) {
    this.drawTitles(pen, known);
    this.drawWords(pen, known);
    const colours = this.networks.map((/** @type {any} */ { colour }) => colour);
    const resampled = this.spec.kind === "voxels";
    this.dots.draw(pen, known.shape, dotOf(known), colours, resampled);
  }

  drawScenes() {
    const { scene, layout, scale, reading, networks, shape, spec } = this;
    const still = matrix(UPRIGHT);
    const grey = (this.ink.match(/[\d.]+/g) ?? []).slice(0, 3);
    const cage = grey.map((v) => 0.45 + (0.1 * Number(v)) / 255);
    scene.clear();
    if (this.square) return drawSquareScenes(this, cage);
    scene.frame(layout.input, scale);
    const turn = matrix(this.live || this.frozen ? this.rotation : reading.rotation);
    scene.drawInput(spec, shape, this.drawn, turn);
    scene.drawCage(still, cage);
    const R = matrix(reading.rotation);
    for (const [n, { shown, colour }] of networks.entries()) {
      const glyphs = {
        values: reading.glyphs[n],
        spots: this.spotsOf(reading.shape),
        size: spec.sizes[reading.shape],
        show: (/** @type {string} */ name) => this.show[name] && shown.includes(name),
        colours: this.colours,
        tint: colour,
      };
      scene.frame(layout.out[n], scale);
      drawGlyphs(scene, glyphs, R, still);
      scene.drawCage(still, cage);
      scene.frame(layout.back[n], scale);
      drawGlyphs(scene, glyphs, still, flipped(R));
    }
  }

  /** Where the places of a shape stand, three numbers each. @param {number} shape */
  spotsOf(shape) {
    /** @type {number[]} */
    const counts = this.spec.counts;
    const from = counts.slice(0, shape).reduce((a, b) => a + b, 0);
    return this.places.subarray(3 * from, 3 * (from + counts[shape]));
  }

  /** @param {Pen} pen @param {import("./recorded.js").Reading} known */
  drawTitles(pen, { errors, rotation }) {
    const { layout } = this;
    /** @param {Square} square @param {string} words @param {string} [colour] */
    const title = ([x, y, side], words, colour) =>
      this.text(pen, words, x + side / 2, y - 20, {
        font: BOLD,
        align: "center",
        colour,
        most: side,
      });
    title(layout.input, this.scene.gl ? "input: drag to turn" : "this browser has no WebGL 2");
    for (const [n, network] of this.networks.entries()) {
      const { colour } = network;
      title(layout.out[n], `${network.title}: as it comes out`, colour);
      title(layout.back[n], `${network.title}: turned back`, colour);
      for (const [x, y, side] of [layout.out[n], layout.back[n]]) {
        const number = `error ${errorWords(errors[n])}`;
        this.text(pen, number, x + side / 2, y + side + 1, { colour, align: "center" });
      }
    }
    const still = matrix(UPRIGHT);
    for (const box of [layout.input, ...layout.out]) drawAxes(this, pen, box, still);
    for (const box of layout.back) drawAxes(this, pen, box, flipped(matrix(rotation)));
  }

  /** @param {Pen} pen @param {import("./recorded.js").Reading} known */
  drawWords(pen, { errors, baseline, rotation }) {
    const { layout, hues } = this;
    const { x, y } = layout.words;
    const most = (x ? layout.width - x : layout.side) - 8;
    const resampling = `resampling: ${errorWords(baseline)}`;
    const exact = this.spec.kind === "voxels" ? resampling : "points turn exactly";
    const lines = [
      { words: `turned by ${Math.round(angleOf(rotation))}°`, font: BOLD },
      { words: "relative error", font: BOLD },
      ...this.networks.map((/** @type {any} */ { title, colour }, /** @type {number} */ n) => ({
        words: `${title}: ${errorWords(errors[n])}`,
        colour,
      })),
      { words: exact, colour: hues.base },
    ];
    lines.forEach(({ words, ...style }, n) => {
      this.text(pen, words, x, y + 22 * n, { ...style, most });
    });
  }

  /** @param {Pen} pen */
  drawState(pen) {
    const { layout, hues } = this;
    const style = { font: SMALL, colour: hues.equivariant[0], most: layout.width - 16 };
    this.text(pen, this.stateLine(), 8, layout.height - 18, style);
  }

  /** What keeps the features from following the hand. */
  stateLine() {
    if (this.frozen) return "no kernel answers: the features stand still";
    if (this.loop.silent && !this.hasChannels) return "no kernel answers: other channels are here";
    if (this.loop.silent) return "no kernel answers: the shape turns in recorded steps";
    return this.problem ? `the kernel says: ${this.problem}` : "";
  }

  /** @param {import("./recorded.js").Reading} known */
  tellControls(known) {
    const angle = Math.round(angleOf(known.rotation));
    const words = sharesOf(this, known).map(budgetWords).join(" and ");
    describe(this.canvas, {
      "aria-valuenow": angle,
      "aria-valuetext": `turned by ${angle}°, relative error ${words}`,
    });
    this.picks.forEach((node, n) => {
      describe(node, { "aria-pressed": n === this.shape });
    });
    this.pager.tell();
    if (this.squared) describe(this.squared, { "aria-pressed": this.square });
    for (const node of this.switches) {
      describe(node, { "aria-pressed": this.show[node.dataset.name ?? ""] });
    }
  }

  save() {
    this.saveAs(`shape-${Math.round(angleOf(this.reading.rotation))}deg`, (pen) => {
      pen.drawImage(this.depths, 0, 0);
      pen.drawImage(this.canvas, 0, 0);
    });
  }

  close() {
    super.close();
    this.loop.close();
    this.scene.gl?.getExtension("WEBGL_lose_context")?.loseContext(); // a page has only a few
  }
}

const SHAPE_STYLE = `
.equivlab-shape .stage { position: relative; }
.equivlab-shape .stage canvas { position: absolute; left: 0; top: 0; }
`;

export default page(ShapeView);
