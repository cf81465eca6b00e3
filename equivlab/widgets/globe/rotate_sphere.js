// @ts-check
// The page of RotateSphere. The globe turns here, in WebGL; only features ask the kernel, one
// question at a time. One WebGL canvas of the globe, and one of both views of each network's
// features, lie under a plain one with titles, rings and the curve, which takes keys and pointers.
// While the globe turns, only its own is drawn.

import { CanvasView, page } from "../page/canvas_view.js";
import { Dots } from "../page/dots.js";
import { BOLD, bytes, DEGREES, describe, element, within } from "../page/elements.js";
import { KernelLoop } from "../page/kernel_loop.js";
import { Pager } from "../page/pager.js";
import { legible } from "../page/palette.js";
import { atGamma, isFollowing, knownOf, Recorded } from "./features.js";
import { fitGlasses, sharpen } from "./glasses.js";
import { arrangeSpheres } from "./layout.js";
import { menusOf } from "./menus.js";
import { Painter } from "./painter.js";
import { about, angleOf, cleaned, fromTo, IDENTITY, multiply } from "./rotations.js";
import { askShares, drawShares, spokenOf } from "./shares.js";
import {
  arrangeSquareSpheres,
  levelsAtRest,
  levelsOff,
  squareSpheres,
  squareTitles,
} from "./square.js";
import { SPHERE_STYLE } from "./style.js";
import { explainedSphere, sentencesOf } from "./words.js";

const MANY = 8; // channels from which on there are buttons beside the menu

class SphereView extends CanvasView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-sphere");
    const { state, spec } = this;
    /** @type {import("./features.js").View[]} */
    this.views = spec.views;
    this.glasses = [0, ...this.views.keys()].map(() => element("canvas", { className: "glass" }));
    this.painters = this.glasses.map((glass) => new Painter(glass, bytes(state.get("_colours"))));
    const globes = bytes(state.get("_globes"));
    const size = spec.globe[0] * spec.globe[1];
    this.globes = spec.names.map((/** @type {string} */ _, /** @type {number} */ n) => {
      const levels = globes.subarray(n * size, (n + 1) * size);
      return this.painters[0].picture(levels, spec.globe, levels.includes(255));
    });
    this.patience = 400; // questions say the same, more often
    this.loop = new KernelLoop(this.invoke, {
      hear: (answer, buffers, question) => this.hear(answer, buffers, question),
      changed: () => this.changed(""),
    });
    const data = ["_features", "_compare_features"].map((name) => bytes(state.get(name)));
    this.recorded = new Recorded(spec, data);
    const rest = { signal: 0, rotation: IDENTITY, channel: 0 };
    /** @type {import("./features.js").Seen} */
    this.seen = /** @type {any} */ (this.recorded.find(rest)); // what the features show
    this.loop.settle(rest);
    this.dots = new Dots(this, this.recorded.dots());
    /** @type {string | undefined} */
    this.problem = undefined;
    this.pager = new Pager(this, {
      trait: "channel",
      pages: spec.channels.length,
      what: "channels",
      words: (n) => `channel ${spec.channels[n]}`,
    });
    /** @type {import("./painter.js").Picture[][]} */
    this.maps = []; // of each network
    this.choice = "";
    /** @type {Map<string, { picture: any, turned: number[] }>} */
    this.drawn = new Map(); // what each sphere shows
    /** @type {{ x: number, y: number, side: number }[][]} */
    this.boxes = []; // of the spheres in each glass
    this.words = this.views.map(() => element("span", { className: "error" }));
    this.ringed = false;
    /** @type {{ point: number[], rotation: number[] } | undefined} */
    this.grip = undefined;
    /** @type {Record<string, HTMLSelectElement>} */
    this.selects = {};
    this.spoken = describe(element("div", { className: "spoken" }), { role: "status" });
    this.line = element("div", { className: "line" });
    this.build();
    this.ask();
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return ["rotation", "signal", "channel", "gamma", "square"];
  }

  get square() {
    return Boolean(this.state.get("square"));
  }

  toggleSquare() {
    this.set({ square: !this.square });
  }

  /** @param {string} name */
  changed(name) {
    super.changed(name);
    this.ask();
  }

  /** Show what is known of the pose; ask the kernel for what is not. */
  ask() {
    const known = this.recorded.find(this.question);
    if (known) {
      this.loop.settle(this.question);
      this.take(known);
    }
    const { signal, channel, rotation } = this; // beside a recorded pose: has the kernel come back?
    this.loop.ask(known && this.stepping ? { signal, rotation, channel } : this.question);
  }

  /** @param {import("./features.js").Seen} seen */
  take(seen) {
    this.seen = seen;
    this.problem = undefined;
    this.choice = "";
    this.ringed = false;
    this.redraw();
  }

  /** Without a kernel the globe stands in one of the poses that came with the page. */
  get shown() {
    return this.loop.silent ? this.recorded.near(this.rotation) : this.rotation;
  }

  /** Whether it turns in those steps. */
  get stepping() {
    return this.loop.silent && this.recorded.poses.length > 1;
  }

  /** @returns {number[]} */
  get rotation() {
    return this.state.get("rotation");
  }

  get signal() {
    return within(this.state.get("signal"), this.spec.names.length);
  }

  get channel() {
    return within(this.state.get("channel"), this.spec.channels.length);
  }

  /** In the square the maximum: only that turns as a sphere does. */
  get gamma() {
    if (this.square) return -1;
    return Math.max(-1, Math.min(this.state.get("gamma"), this.steps - 1));
  }

  /** The most angles γ of any network. */
  get steps() {
    return Math.max(...this.views.map(({ steps }) => steps));
  }

  get question() {
    return { signal: this.signal, rotation: this.shown, channel: this.channel };
  }

  /** Whether the features on show are of the signal and the channel that were chosen. */
  get fitting() {
    const { signal, channel } = this.seen.of;
    return signal === this.signal && channel === this.channel;
  }

  /** Turn further, in the reader's frame. @param {number[]} by */
  turn(by, from = this.rotation) {
    this.set({ rotation: cleaned(multiply(by, from)) });
  }

  reset() {
    this.set({ rotation: IDENTITY });
  }

  stepGamma() {
    if (this.steps < 2) return;
    this.set({ gamma: this.gamma + 1 < this.steps ? this.gamma + 1 : -1 });
  }

  /** An answer of the kernel.
   * @param {any} answer
   * @param {DataView[]} buffers
   * @param {import("./features.js").Question} question
   */
  hear({ problem, errors, shares }, buffers, question) {
    this.problem = problem;
    if (problem) return this.redraw();
    this.take({ of: question, levels: buffers.map(bytes), errors, shares });
    return this.dots.add(question.signal, { angle: angleOf(question.rotation), errors });
  }

  /** The features as pictures: of each network as they come out, and turned back; in the square at
   * rest, as they come out, and what differs.
   */
  features() {
    const choice = `${this.gamma} ${this.square}`;
    if (this.choice === choice) return this.maps;
    this.maps.forEach((maps, n) => {
      for (const map of maps) this.painters[1 + n].drop(map);
    });
    const rest = levelsAtRest(this);
    this.maps = this.views.map(({ steps, side }, n) => {
      const area = side[0] * side[1];
      const gamma = this.gamma < 0 ? -1 : Math.floor((this.gamma * steps) / this.steps);
      const cut = (/** @type {Uint8Array} */ levels, /** @type {number} */ turned) =>
        atGamma(levels, turned * steps * area, area, steps, gamma);
      const [out, back] = [0, 1].map((turned) => cut(this.seen.levels[n], turned));
      const upright = rest ? cut(rest[n], 0) : new Uint8Array(area).fill(127);
      const off = rest ? levelsOff(back, upright) : upright;
      const shown = this.square ? [upright, out, off] : [out, back];
      return shown.map((levels) => this.painters[1 + n].picture(levels, side));
    });
    this.choice = choice;
    return this.maps;
  }

  // --- the controls ----------------------------------------------------------------------------

  build() {
    describe(this.canvas, {
      role: "application",
      "aria-roledescription": "globe",
      "aria-label": "A globe. Arrow keys turn it, comma and period roll it.",
    });
    this.squared = this.button("Square", "Both ways round: network and turn (s)", () =>
      this.toggleSquare(),
    );
    const bar = element(
      "div",
      { className: "bar" },
      ...menusOf(this),
      ...(this.spec.channels.length > MANY ? this.pager.controls : []),
      this.button("Reset", "Back to the first pose (r)", () => this.reset()),
      this.squared,
      this.button("PNG", "Save this picture", () => this.save()),
    );
    const pane = element("div", { className: "pane" }, ...this.glasses, this.canvas);
    this.line.append(...this.words);
    for (const className of ["", "quiet", "quiet"]) {
      this.line.append(element("span", { className }));
    }
    this.line.setAttribute("aria-hidden", "true"); // changes at each frame; `spoken` waits for rest
    this.assemble(bar, SPHERE_STYLE, pane, this.line, this.spoken);
  }

  get explained() {
    return explainedSphere(this.steps, this.spec.channels.length);
  }

  /** @param {KeyboardEvent} event */
  keys(event) {
    const grain = 360 / this.recorded.poses.length;
    const [plain, shifted] = this.stepping ? [grain, Math.max(90, grain)] : [5, 45];
    const by = (event.shiftKey ? shifted : plain) * DEGREES;
    const [up, right, toward] = [
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
    ];
    const roll = () => this.turn(about(toward, by));
    const back = () => this.turn(about(toward, -by));
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.turn(about(up, by)),
      ArrowLeft: () => this.turn(about(up, -by)),
      ArrowUp: () => this.turn(about(right, -by)),
      ArrowDown: () => this.turn(about(right, by)),
      ",": roll,
      ".": back,
      "<": roll,
      ">": back,
      r: () => this.reset(),
      Home: () => this.reset(),
      g: () => this.stepGamma(),
      s: () => this.toggleSquare(),
      ...this.pager.keys,
    };
    return acts;
  }

  // --- the hand on the globe -------------------------------------------------------------------

  /** The point of the sphere under the pointer; outside the disc, the nearest on its rim.
   * @param {{ x: number, y: number }} at
   */
  under(at) {
    const { disc, globe } = this.layout;
    let right = (2 * (at.x - globe.x)) / disc - 1;
    let up = 1 - (2 * (at.y - globe.y)) / disc;
    const distance = Math.hypot(right, up);
    if (distance > 1) [right, up] = [right / distance, up / distance];
    return { point: [Math.sqrt(Math.max(0, 1 - right * right - up * up)), right, up], distance };
  }

  /** @param {number} x @param {number} y */
  grips(x, y) {
    return this.under({ x, y }).distance <= 1.08;
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const { point, distance } = this.under(this.at(event));
    if (distance > 1.08) return;
    this.grip = { point, rotation: this.rotation };
    this.hold(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (!this.grip) return;
    this.turn(fromTo(this.grip.point, this.under(this.at(event)).point), this.grip.rotation);
  }

  drop() {
    this.grip = undefined;
    this.loop.hurry();
    this.redraw();
  }

  // --- the drawing -----------------------------------------------------------------------------

  /** @param {number} width @param {boolean} short */
  arrange(width, short) {
    if (this.square) return arrangeSquareSpheres(width, this.views.length);
    return arrangeSpheres(width, this.views.length, short);
  }

  fitted() {
    fitGlasses(this);
    this.ringed = false;
    this.words.forEach((node, n) => {
      node.style.color = legible(this.hue(this.views[n].role));
    });
  }

  draw() {
    if (!this.fit(980)) return;
    sharpen(this);
    const globe = { picture: this.globes[this.signal], turned: this.shown };
    const plain = () => [
      [globe],
      ...this.features().map((maps) => maps.map((picture) => ({ picture, turned: IDENTITY }))),
    ];
    const spheres = this.square ? squareSpheres(this) : plain();
    spheres.forEach((some, n) => {
      some.forEach((sphere, k) => {
        this.drawSphere(n, k, sphere);
      });
    });
    const hidden = this.loop.silent && !this.fitting; // of another channel or signal
    this.glasses.slice(1).forEach((glass) => {
      glass.style.visibility = hidden ? "hidden" : "visible";
    });
    if (!this.ringed || !isFollowing(this)) this.drawRings();
    this.tell();
  }

  /** Draw one sphere if it is not there already.
   * @param {number} n of the glass
   * @param {number} k of the sphere in it
   * @param {{ picture: import("./painter.js").Picture, turned: number[] }} sphere
   */
  drawSphere(n, k, { picture, turned }) {
    const before = this.drawn.get(`${n} ${k}`);
    if (before?.picture === picture && before.turned === turned) return;
    this.painters[n].paint(picture, this.boxes[n][k], turned, n ? 1 : 0, n ? 0 : 1);
    this.drawn.set(`${n} ${k}`, { picture, turned });
  }

  /** What stands above each sphere, and its colour. @returns {[string, string][]} */
  get titles() {
    const { narrow } = this.layout;
    /** @type {[string, string][]} */
    const titles = [["input: grab it and turn it", this.ink]];
    for (const { title, layer, role } of this.views) {
      const name = this.views.length > 1 ? `${title}: ` : "";
      const colour = this.views.length > 1 ? this.hue(role) : this.ink;
      const of = layer ? `of layer ${layer}, ` : "";
      titles.push(
        [narrow ? `${name}features` : `${name}features ${of}as they come out`, colour],
        [narrow ? "turned back" : `${name}features, turned back`, colour],
      );
    }
    return titles;
  }

  drawRings() {
    this.ringed = isFollowing(this);
    const { disc, places } = this.layout;
    const pen = this.pen();
    const titles = this.square ? squareTitles(this) : this.titles;
    titles.forEach(([title, colour], n) => {
      const { x, y } = places[n];
      const style = { font: BOLD, align: /** @type {const} */ ("center"), most: disc, colour };
      this.text(pen, title, x + disc / 2, y - 24, style);
      pen.strokeStyle = this.hues.base;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.arc(x + disc / 2, y + disc / 2, disc / 2 - 0.5, 0, 2 * Math.PI);
      pen.stroke();
    });
    drawShares(this, pen);
    if (this.square) return;
    const { of, errors } = knownOf(this);
    const colours = this.views.map(({ role }) => this.hue(role));
    this.dots.draw(pen, of.signal, { angle: angleOf(of.rotation), errors }, colours, false);
  }

  /** The number in words for a screen reader, at rest; counts for tests and benchmarks. */
  tell() {
    const { loop } = this;
    this.painted += 1;
    const { asked, answered, silent } = loop;
    const { errors } = knownOf(this);
    Object.assign(this.canvas.dataset, {
      painted: this.painted,
      asked,
      answered,
      silent,
      error: errors[0] ?? "",
      errors: JSON.stringify(errors),
      settled: loop.isSettled(this.question),
      angle: angleOf(this.shown).toFixed(3),
      gamma: this.gamma,
      square: this.square,
      places: JSON.stringify({ disc: this.layout.disc, places: this.layout.places }),
    });
    this.pager.tell();
    if (this.squared) describe(this.squared, { "aria-pressed": this.square });
    if (this.selects.gamma) this.selects.gamma.disabled = this.square;
    sentencesOf(this).forEach((words, n) => {
      if (this.line.children[n].textContent !== words) this.line.children[n].textContent = words;
    });
    const trouble = Boolean(this.problem) || silent;
    this.line.lastElementChild?.classList.toggle("trouble", trouble);
    for (const [name, select] of Object.entries(this.selects)) {
      const value = String(this.state.get(name));
      if (select.value !== value) select.value = value; // even the same one would cost a layout
    }
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      this.spoken.textContent = spokenOf(this);
      askShares(this);
    }, 500);
  }

  /** Save the spheres, and the words below them. */
  save() {
    const draw = (/** @type {CanvasRenderingContext2D} */ pen) => {
      this.glasses.forEach((glass) => {
        const { left, top, width, height } = glass.style;
        const box = [left, top, width, height].map((at) => Number.parseFloat(at) / this.zoom);
        const [x, y, w, h] = box.map((at) => Math.round(at * this.scale));
        pen.drawImage(glass, x, y, w, h);
      });
      pen.drawImage(this.canvas, 0, 0);
      pen.scale(this.scale, this.scale);
      const words = sentencesOf(this).slice(0, -2).join(",  ");
      this.text(pen, words, 16, this.layout.height + 4, { font: BOLD });
    };
    this.saveAs(this.spec.names[this.signal], draw, 30);
  }

  close() {
    super.close();
    this.loop.close();
    clearTimeout(this.speaking);
    for (const painter of this.painters) painter.close();
  }
}

export default page(SphereView);
