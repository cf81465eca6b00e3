// @ts-check
// The page of SeeThrough: a piece of sky whose parts one drags. The kernel shoots the rays and asks
// the networks, the latest question first; without a kernel the sky turns in recorded steps.

import { bearing, CanvasView, page } from "../page/canvas_view.js";
import { aligned, BOLD, bytes, DEGREES, describe, element, SMALL } from "../page/elements.js";
import { KernelLoop } from "../page/kernel_loop.js";
import { magnetic } from "../page/turning_view.js";
import { drawBars, drawHandle, drawLines, drawRound, inPlane, Picture } from "./drawing.js";
import { allowed, handlesOf, moved, under } from "./handles.js";
import { arrangeLens, inSky, isInside, onCanvas, turned } from "./layout.js";
import { RecordedSky } from "./recorded.js";
import { LENS_STYLE } from "./style.js";
import {
  bestOf,
  chanceWords,
  changeWords,
  explainedLens,
  kindWords,
  NUMBERS,
  stateWords,
  swings,
  valueWords,
} from "./words.js";

const REST = 300; // ms after which a pose that stays is seen from all round

/** @typedef {CanvasRenderingContext2D} Pen */
/** @typedef {import("./handles.js").Pose} Pose */

class LensView extends CanvasView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-lens");
    const { state, spec } = this;
    this.names = Object.keys(spec.rest);
    const lines = floats(state.get("_recorded_lines"));
    this.recorded = new RecordedSky(spec, bytes(state.get("_recorded")), lines);
    this.picture = new Picture(bytes(state.get("_colours")), spec.pixels);
    this.patience = 400; // questions say the same, more often
    this.loop = new KernelLoop(this.invoke, {
      hear: (answer, buffers, question) => this.hear(answer, buffers, question),
      changed: () => this.redraw(),
    });
    /** @type {import("./recorded.js").Seen} */
    this.seen = this.recorded.near(this.pose);
    this.around = { key: this.keyOf(this.seen.of), values: this.recorded.around(this.pose) };
    /** @type {string | undefined} */
    this.problem = undefined;
    /** @type {string | undefined} */
    this.held = undefined;
    this.offset = 0;
    /** @type {Record<string, HTMLInputElement>} */
    this.sliders = {};
    /** @type {Record<string, HTMLElement>} */
    this.values = {};
    this.kinds = describe(element("select"), { "aria-label": "Dark matter" });
    this.another = this.button("Another", "Another draw of it (n)", () => this.nextDraw());
    this.noisy = this.button("Noise", "Noise (o)", () => this.flip("noise"));
    this.lined = this.button("Curves", "Critical curves and caustics (c)", () =>
      this.flip("curves"),
    );
    this.spoken = describe(element("div", { className: "spoken" }), { role: "status" });
    this.line = describe(element("div", { className: "line" }), { "aria-hidden": "true" });
    this.build();
    this.ask();
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return [...this.names, "curves"];
  }

  /** @param {string} name */
  changed(name) {
    super.changed(name);
    if (name !== "curves") this.ask();
  }

  /** What was asked for. @returns {Pose} */
  get pose() {
    return Object.fromEntries(this.names.map((name) => [name, this.state.get(name)]));
  }

  /** Without the angle: what the answers all round depend on. @param {Pose} pose */
  keyOf(pose) {
    return JSON.stringify({ ...pose, angle_deg: 0 });
  }

  /** Whether what is on show is what was asked for. */
  get settled() {
    return JSON.stringify(this.seen.of) === JSON.stringify(this.pose);
  }

  ask() {
    if (!this.settled || this.loop.silent) this.loop.ask(this.pose);
  }

  /** What the page shows: without a kernel only what came with it. */
  get shown() {
    if (!this.loop.silent) return this.seen;
    return this.settled ? this.seen : this.recorded.near(this.pose);
  }

  /** An answer of the kernel.
   * @param {any} answer
   * @param {DataView[]} buffers
   * @param {Pose} question
   */
  hear({ problem, said, remark, gain, around }, buffers, { around: _, ...of }) {
    this.problem = problem;
    if (problem) return this.redraw();
    const [levels, critical, caustics] = buffers;
    this.seen = {
      ...{ of, said, remark, gain, levels: bytes(levels) },
      ...{ critical: floats(critical), caustics: floats(caustics) },
    };
    if (around) this.around = { key: this.keyOf(of), values: around };
    this.redraw();
    this.ask();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.lookAround(), REST);
    return undefined;
  }

  lookAround() {
    if (!this.settled || this.loop.silent || this.around.key === this.keyOf(this.pose)) return;
    this.loop.ask({ ...this.pose, around: true });
  }

  /** Change numbers, within their limits. @param {Record<string, number>} changes */
  move(changes) {
    const found = Object.entries(changes).map(([name, value]) => [
      name,
      allowed(this.spec.limits, name, value),
    ]);
    this.set(Object.fromEntries(found));
  }

  /** Steps of a slider: of the angle without a kernel, those that are recorded. @param {string} name */
  grain(name) {
    const recorded = 360 / this.spec.steps;
    return name === "angle_deg" && this.loop.silent ? recorded : this.spec.limits[name][2];
  }

  /** @param {string} name @param {number} steps */
  nudge(name, steps) {
    this.move({ [name]: this.state.get(name) + steps * this.grain(name) });
  }

  reset() {
    this.set({ ...this.spec.rest, curves: true });
  }

  nextKind() {
    const { kinds } = this.spec;
    this.set({ kind: kinds[(kinds.indexOf(this.state.get("kind")) + 1) % kinds.length] });
  }

  nextDraw() {
    this.set({ draw: this.state.get("draw") + 1 });
  }

  /** @param {"noise" | "curves"} name */
  flip(name) {
    this.set({ [name]: !this.state.get(name) });
  }

  // --- the controls ----------------------------------------------------------------------------

  build() {
    describe(this.canvas, {
      role: "application",
      "aria-roledescription": "gravitational lens",
      "aria-label":
        "A piece of sky with a lens. Arrow keys turn it; w, a, s and d move the source.",
    });
    for (const kind of this.spec.kinds) {
      this.kinds.append(element("option", { textContent: kindWords(kind), value: kind }));
    }
    this.on(this.kinds, "change", () => this.set({ kind: this.kinds.value }));
    const bar = element(
      "div",
      { className: "bar" },
      this.slider("angle_deg", "turn", "°"),
      this.kinds,
      this.another,
      this.noisy,
      this.lined,
      this.button("Reset", "Back to the first pose (r)", () => this.reset()),
      this.button("PNG", "Save this picture", () => this.save()),
    );
    const all = NUMBERS.map(([name, words, unit]) => this.slider(name, words, unit));
    const numbers = element(
      "details",
      { className: "numbers" },
      element("summary", { textContent: "All numbers" }),
      element("div", { className: "grid" }, ...all),
    );
    this.assemble(bar, LENS_STYLE, this.canvas, this.line, numbers, this.spoken);
  }

  /** A slider with its name and its value. @param {string} name @param {string} words @param {string} unit */
  slider(name, words, unit) {
    const [min, max] = this.spec.limits[name];
    const input = element("input", { type: "range" });
    describe(input, { min, max, step: "any", "aria-label": words, "data-name": name });
    this.on(input, "input", () => this.move({ [name]: Number(input.value) }));
    this.sliders[name] = input;
    this.values[name] = describe(element("span", { className: "value" }), { "data-unit": unit });
    return element("label", {}, element("span", { textContent: words }), input, this.values[name]);
  }

  get explained() {
    return explainedLens();
  }

  /** @param {KeyboardEvent} event */
  keys(event) {
    const target = /** @type {HTMLElement | null} */ (event.target);
    const name = target?.dataset?.name ?? "angle_deg";
    const [low, high] = this.spec.limits[name];
    const turns = name === "angle_deg";
    const by = event.shiftKey ? (turns ? 90 / this.grain(name) : 5) : 1;
    const on = () => this.nudge(name, by);
    const back = () => this.nudge(name, -by);
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: on,
      ArrowUp: on,
      ArrowLeft: back,
      ArrowDown: back,
      Home: () => this.move({ [name]: low }),
      End: () => this.move({ [name]: turns ? 270 : high }),
      w: () => this.nudge("source_y", 1),
      s: () => this.nudge("source_y", -1),
      d: () => this.nudge("source_x", 1),
      a: () => this.nudge("source_x", -1),
      k: () => this.nextKind(),
      n: () => this.nextDraw(),
      o: () => this.flip("noise"),
      c: () => this.flip("curves"),
      r: () => this.reset(),
    };
    return acts;
  }

  save() {
    this.saveAs(`lens-${Math.round(this.shown.of.angle_deg)}deg`, (pen) => {
      pen.drawImage(this.canvas, 0, 0);
    });
  }

  // --- the hand --------------------------------------------------------------------------------

  /** The turn on show, in radians. */
  get turn() {
    return this.shown.of.angle_deg * DEGREES;
  }

  /** Where the handles stand on the canvas: in the picture, and the source behind it. */
  places() {
    const { sky, behind } = this.layout;
    if (this.loop.silent) return {};
    const handles = handlesOf(this.pose, this.spec.limits);
    const angle = this.pose.angle_deg * DEGREES;
    const found = Object.fromEntries(
      Object.entries(handles).map(([name, at]) => [name, onCanvas(sky, turned(at, angle))]),
    );
    return { ...found, behind: onCanvas(behind, turned(handles.source, angle)) };
  }

  /** @param {number} x @param {number} y */
  grips(x, y) {
    return isInside(this.layout.sky, { x, y }) || under(this.places(), { x, y }) !== undefined;
  }

  get middle() {
    const { x, y, side } = this.layout.sky;
    return { x: x + side / 2, y: y + side / 2 };
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const at = this.at(event);
    this.held = under(this.places(), at);
    if (!this.held && isInside(this.layout.sky, at)) {
      this.held = "sky";
      this.offset = this.shown.of.angle_deg - bearing(this.middle, at);
    }
    if (!this.held) return;
    this.hold(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (!this.held) return;
    const at = this.at(event);
    if (this.held === "sky") {
      this.move({ angle_deg: magnetic(bearing(this.middle, at) + this.offset) });
      return;
    }
    const plane = this.held === "behind" ? this.layout.behind : this.layout.sky;
    const point = turned(inSky(plane, at), -this.pose.angle_deg * DEGREES);
    this.move(moved(this.held === "behind" ? "source" : this.held, point, this.pose));
  }

  drop() {
    this.held = undefined;
    this.loop.hurry();
  }

  // --- the drawing -----------------------------------------------------------------------------

  /** @param {number} width */
  arrange(width) {
    const { half, networks } = this.spec;
    return arrangeLens(width, half, networks[0]?.classes.length ?? 0, networks.length);
  }

  draw() {
    if (!this.fit(1040)) return;
    const pen = this.pen();
    this.drawSky(pen);
    this.drawBehind(pen);
    this.drawAnswers(pen);
    this.tellControls();
  }

  /** @param {Pen} pen */
  drawSky(pen) {
    const { sky } = this.layout;
    const { levels, critical } = this.shown;
    const title = this.loop.silent
      ? `${this.spec.title}: turn it`
      : `${this.spec.title}: drag ★ + ◆`;
    this.text(pen, title, sky.x, 8, { font: BOLD, most: sky.side });
    pen.drawImage(this.picture.paint(levels), sky.x, sky.y, sky.side, sky.side);
    if (this.state.get("curves")) drawLines(pen, sky, critical, this.turn, "#ffffff");
    const places = Object.entries(this.places()).filter(([name]) => name !== "behind");
    inPlane(pen, sky, () => {
      for (const [name, at] of places.reverse()) drawHandle(pen, name, at); // the source above all
    });
  }

  /** The source plane: caustics, and the galaxy as it is. @param {Pen} pen */
  drawBehind(pen) {
    const { behind, numbers } = this.layout;
    const { of, gain, caustics } = this.shown;
    this.text(pen, "behind the lens", behind.x, behind.y - 22, { font: BOLD, most: behind.side });
    pen.fillStyle = "#101418";
    pen.fillRect(behind.x, behind.y, behind.side, behind.side);
    Object.assign(pen, { strokeStyle: this.hues.base, lineWidth: 1 });
    pen.strokeRect(behind.x, behind.y, behind.side, behind.side);
    const at = onCanvas(behind, turned({ x: of.source_x, y: of.source_y }, this.turn));
    inPlane(pen, behind, () => {
      const far = (2.5 * this.spec.source_radius * behind.side) / behind.half / 2;
      const glow = pen.createRadialGradient(at.x, at.y, 0, at.x, at.y, far);
      glow.addColorStop(0, "#fde945");
      glow.addColorStop(0.4, "#8a8678");
      glow.addColorStop(1, "#10141800");
      pen.fillStyle = glow;
      pen.fillRect(behind.x, behind.y, behind.side, behind.side);
    });
    if (this.state.get("curves")) drawLines(pen, behind, caustics, this.turn, "#c8c8c8");
    if (!this.loop.silent) inPlane(pen, behind, () => drawHandle(pen, "source", at));
    const { x, y } = numbers;
    const most = behind.side;
    this.text(pen, `magnified ${Number(gain.toPrecision(3))} times`, x, y, { most });
    this.text(pen, `turned by ${Number(of.angle_deg.toFixed(1))}°`, x, y + 20, { most });
  }

  /** Bars for now, and a curve for all round. @param {Pen} pen */
  drawAnswers(pen) {
    const { bars, row } = this.layout;
    const { networks } = this.spec;
    const { said } = this.shown;
    let y = bars.y;
    const head = networks.length ? "what is said" : "no classifier";
    this.text(pen, head, bars.x, bars.y - 22, { font: BOLD, most: bars.width });
    networks.forEach((/** @type {any} */ { name, role, classes }, /** @type {number} */ n) => {
      const colour = this.hue(role);
      this.text(pen, name, bars.x, y, { font: SMALL, colour, most: bars.width });
      const box = { x: bars.x, y: y + 20, width: bars.width };
      drawBars(this, pen, box, { classes, chances: said[n], colour, row });
      y += 24 + classes.length * row;
    });
    if (networks.length) this.drawAround(pen);
  }

  /** The probability of the class that the first network says now, at every angle. @param {Pen} pen */
  drawAround(pen) {
    const { curve, narrow } = this.layout;
    const { networks } = this.spec;
    const { of, said } = this.shown;
    const best = bestOf(said[0]);
    const title = `probability of ${networks[0].classes[best]}, all round`;
    const left = narrow ? 8 : curve.x - 40;
    const most = curve.x + curve.width - left;
    this.text(pen, title, left, curve.y - 28, { font: BOLD, most });
    const all = this.allRound;
    const lines = networks.map((/** @type {any} */ { role }, /** @type {number} */ n) => ({
      colour: this.hue(role),
      chances: all ? all[n].map((one) => one[best]) : [],
    }));
    drawRound(this, pen, curve, lines, of.angle_deg);
  }

  /** What each network says at all steps of a turn of what is on show, if that is known. */
  get allRound() {
    const { of } = this.shown;
    if (this.around.key === this.keyOf(of)) return this.around.values;
    const ours = this.keyOf(of) === this.keyOf(this.recorded.near(of).of);
    return this.loop.silent && ours ? this.recorded.around(of) : undefined;
  }

  /** What stands below: how each answer changes under turns, and how the picture keeps up. */
  sentences() {
    const { networks } = this.spec;
    const { said, remark } = this.shown;
    const { silent } = this.loop;
    const all_round = this.allRound;
    const said_all = networks.map(
      (/** @type {any} */ { name, classes }, /** @type {number} */ n) => {
        const best = bestOf(said[n]);
        const now = `${name}: ${classes[best]} ${chanceWords(said[n][best])}`;
        if (!all_round) return now;
        const { all, quarters } = swings(all_round[n].map((one) => one[best]));
        return `${now}, changes by ${changeWords(all)} all round, ${changeWords(quarters)} between quarter turns`;
      },
    );
    const { problem } = this;
    return [...said_all, stateWords({ silent, problem, remark, settled: this.settled })];
  }

  /** Say where it stands, to the controls, to readers of the screen and to tests. */
  tellControls() {
    const { silent } = this.loop;
    const { of } = this.shown;
    const none = this.spec.limits.clump_mass[0];
    for (const [name, input] of Object.entries(this.sliders)) {
      const value = Number(of[name]);
      const unit = this.values[name].dataset.unit ?? "";
      const words = valueWords(name, value, unit, none);
      if (Number(input.value) !== value) input.value = String(value);
      if (this.values[name].textContent !== words) this.values[name].textContent = words;
      describe(input, { "aria-valuetext": words });
      input.disabled = silent && name !== "angle_deg";
    }
    this.kinds.value = of.kind;
    describe(this.another, { "aria-disabled": silent });
    describe(this.noisy, { "aria-pressed": of.noise, "aria-disabled": silent });
    describe(this.lined, { "aria-pressed": this.state.get("curves") });
    const sentences = this.sentences();
    sentences.forEach((words, n) => {
      this.line.children[n] ?? this.line.append(element("span"));
      if (this.line.children[n].textContent !== words) this.line.children[n].textContent = words;
    });
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      const words = `turned by ${of.angle_deg}°. ${sentences.join(". ")}`;
      if (this.spoken.textContent !== words) this.spoken.textContent = words;
    }, 500);
    this.painted += 1;
    const { settled } = this;
    const places = JSON.stringify(this.places());
    const { answered } = this.loop;
    Object.assign(this.canvas.dataset, {
      painted: this.painted,
      silent,
      settled,
      answered,
      places,
    });
    const said = JSON.stringify(this.shown.said);
    const { sky } = this.layout;
    Object.assign(this.canvas.dataset, { said, angle: of.angle_deg, kind: of.kind });
    this.canvas.dataset.sky = JSON.stringify(sky);
    this.canvas.dataset.live = String(this.allRound !== undefined); // all has been told
  }

  close() {
    super.close();
    this.loop.close();
    clearTimeout(this.resting);
    clearTimeout(this.speaking);
  }
}

/** Bytes as numbers. @param {DataView} view */
const floats = (view) => new Float32Array(aligned(view));

export default page(LensView);
