// @ts-check
// The page of RotateImage. All frames are here as bytes: turning asks nothing of the kernel.
// One canvas holds all pictures, so that it can be saved as one; the controls are plain HTML.

import { budgetWords, drawBudget } from "../page/budget.js";
import { brush, page } from "../page/canvas_view.js";
import {
  BOLD,
  bytes,
  describe,
  element,
  errorWords,
  FONT,
  numbers,
  SMALL,
  within,
} from "../page/elements.js";
import { Pager } from "../page/pager.js";
import { CURVE_HEIGHT, drawDisc, TurningView } from "../page/turning_view.js";
import { drawDials } from "./dial.js";
import { Flight, placesBefore } from "./flight.js";
import { arrangeDial, arrangeMaps, ROWS, WIDEST } from "./layout.js";
import { Maps } from "./maps.js";
import { arrangeSquare, drawSquare } from "./square.js";
import { SWITCH_STYLE, Switches } from "./switches.js";

/** @typedef {CanvasRenderingContext2D} Pen */

const REST = 500; // ms without a turn, before a number is spoken

class ImageView extends TurningView {
  /** @param {import("../page/canvas_view.js").Context} context */
  constructor(context) {
    super(context, "equivlab-rotate");
    this.colours = bytes(this.state.get("_colours"));
    this.baseline = this.spec.baseline.map(numbers);
    this.maps = this.ownMaps();
    this.other = this.otherMaps();
    this.open();
    /** @type {Record<string, number[]>} */
    this.blocks = {}; // where the maps stand: x, y, width, height
    this.corner = { x: 18, y: 34 };
    this.thumbnails = this.pictures.map((picture, n) => this.thumbnail(picture, n));
    const most = Math.max(this.maps.channels, this.other ? this.other.channels : 0);
    this.pager = new Pager(this, {
      pages: Math.ceil(most / ROWS),
      what: "channels",
      words: (page) =>
        `channels ${page * ROWS + 1} to ${Math.min((page + 1) * ROWS, most)} of ${most}`,
    });
    this.flight = new Flight(() => this.redraw());
    this.spoken = describe(element("div", { className: "spoken" }), { role: "status" });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.speaking = undefined;
    this.squared = this.button("Square", "Both ways round: network and turn (s)", () =>
      this.toggleSquare(),
    );
    this.dialled = this.button("Dial", "Orientations on a dial, or in rows (o)", () =>
      this.toggleDial(),
    );
    this.switches = new Switches(this);
    const pictures = this.thumbnails.length > 1 ? this.thumbnails : [];
    const { menu } = this.switches;
    const dial = this.spec.elements.length > 2 ? [this.dialled] : [];
    this.build("image", this.squared, ...dial, menu, ...this.pager.controls, ...pictures);
    this.canvas.before(element("style", { textContent: SWITCH_STYLE }), this.switches.said);
    this.canvas.after(this.spoken);
  }

  /** The maps of the network, as it is or broken. */
  ownMaps() {
    const { state, spec } = this;
    return new Maps(bytes(state.get("_maps")), spec.mirrors * spec.steps, spec);
  }

  /** Those of the other network. @returns {Maps | undefined} */
  otherMaps() {
    const { state, spec } = this;
    if (!spec.compare) return undefined;
    const { steps, mirrors, unturns, hexagons, compare } = spec;
    const data = bytes(state.get("_compare_maps"));
    return new Maps(data, mirrors * steps, { ...compare, unturns, hexagons });
  }

  get traits() {
    const own = ["image", "page", "square", "dial", "broken", "breakable", "_first", "_spec"];
    return [...super.traits, ...own];
  }

  /** @param {string} name */
  changed(name) {
    if (name === "_spec") {
      this.spec = this.state.get("_spec");
      this.maps = this.ownMaps();
    }
    if (name === "_first" || name === "_spec") this.open();
    super.changed(name);
  }

  /** Take the channels that are here: all, or those around the page on show. */
  open() {
    const first = this.state.get("_first");
    this.maps.show(bytes(this.state.get("_maps")), first);
    this.other?.show(bytes(this.state.get("_compare_maps")), first);
  }

  get square() {
    return Boolean(this.state.get("square"));
  }

  toggleSquare() {
    this.set({ square: !this.square });
  }

  get dial() {
    return Boolean(this.state.get("dial")) && this.spec.elements.length > 2;
  }

  toggleDial() {
    this.set({ dial: !this.state.get("dial"), square: false });
  }

  /** @param {KeyboardEvent} event */
  keys(event) {
    /** @type {Record<string, () => void>} */
    const acts = { ...super.keys(event), ...this.pager.keys, s: () => this.toggleSquare() };
    if (this.spec.elements.length > 2) acts.o = () => this.toggleDial();
    return acts;
  }

  get explained() {
    const { keys } = super.explained;
    const { elements, mirrors } = this.spec;
    keys.push(...this.pager.help, ["s", "the square: both ways round, and what differs"]);
    if (elements.length > 2) keys.push(["o", "orientations on a dial, and back in rows"]);
    /** @type {import("../page/help.js").Rows} */
    const words = [];
    if (elements.length > 1) {
      const name = elements[Math.floor(elements.length / mirrors / 4)];
      const mirrored = mirrors > 1 ? [`m ${name}`] : [];
      const also = mirrors > 1 ? "; m: the mirror, then the turn; on a dial, the inner ring" : "";
      words.push([[name, ...mirrored].join(", "), `which orientation a map belongs to${also}`]);
      words.push([`was ${elements[0]}`, "at rest, before the turn, this map stood there"]);
    }
    if (this.maps.frequencies) {
      words.push(["arrows", "pairs of channels: a turn by α turns one of k points by kα"]);
    }
    words.push(
      ["stabilised", "turned back and put back: stands still if the network is equivariant"],
      ["relative error", "|Φ(g·x) − g·Φ(x)| / |Φ(x)| in the circle: how far from the law"],
      ["interpolation", "of that error, as much as resampling alone costs"],
      ["grid", "what the same layers have not with steps of one and the same padding all round"],
      ["model", "the rest: filters that know no such turn, weights that nothing ties"],
      ["resampling", "the same, for turning the image there and back without any network"],
      ["red, blue", "above and below zero; white is zero"],
    );
    return { keys, words };
  }

  get image() {
    return within(this.state.get("image"), this.spec.images);
  }

  /** The first channel on show. */
  get first() {
    return this.pager.page * ROWS;
  }

  /** @param {HTMLCanvasElement} picture @param {number} n */
  thumbnail(picture, n) {
    const small = element("canvas", { width: 32, height: 32 });
    brush(small).drawImage(picture, 0, 0, 32, 32);
    return this.pick(small, `Image ${n + 1}`, () => this.set({ image: n }));
  }

  /** The middle of the input, if the point is on its disc or its handle.
   * @param {number} x
   * @param {number} y
   */
  hub(x, y) {
    if (this.square) {
      const { x: left, y: top, side } = this.layout.turned;
      const at = { x: left + side / 2, y: top + side / 2 };
      return Math.hypot(x - at.x, y - at.y) <= side / 2 + 24 ? at : this.hubOfMaps(x, y);
    }
    const middle = this.layout.input / 2;
    const at = { x: this.corner.x + middle, y: this.corner.y + middle };
    return Math.hypot(x - at.x, y - at.y) <= middle + 24 ? at : undefined;
  }

  /** The middle of the turned map under a point of the square. @param {number} x @param {number} y */
  hubOfMaps(x, y) {
    const { starts, step, cell, tops, columns } = this.layout;
    const half = cell / 2;
    for (const [n, count] of columns.entries()) {
      for (let g = 0; g < count; g++) {
        const at = { x: starts[n] + g * step + half, y: tops[1] + half };
        if (Math.hypot(x - at.x, y - at.y) <= half) return at;
      }
    }
    return undefined;
  }

  // --- the drawing -----------------------------------------------------------------------------

  /** @param {number} width @param {boolean} short */
  arrange(width, short) {
    if (this.square) return arrangeSquare(width, this.maps, this.other);
    if (this.dial) return arrangeDial(width, this.maps, this.other, short, this.spec.turns);
    return arrangeMaps(width, this.maps, this.other, short);
  }

  draw() {
    if (!this.fit(this.filling ? WIDEST.screen : WIDEST.page)) return;
    const pen = this.pen();
    this.blocks = {};
    if (this.square) {
      this.curveBox = { x: 0, y: Infinity, width: 0, height: 0 };
      drawSquare(this, pen);
    } else {
      this.drawInput(pen);
      const permuted = this.spec.elements.length > 1 ? " and permuted back" : "";
      const titles = ["as they come out", `stabilised: turned back${permuted}`];
      for (const [block, title] of titles.entries()) {
        if (this.dial) drawDials(this, pen, block, title, block === 1);
        else this.drawMaps(pen, block, title, block === 1);
      }
      this.drawCurve(pen);
    }
    this.drawShares(pen);
    this.tellControls();
    // For tests.
    Object.assign(this.canvas.dataset, {
      blocks: JSON.stringify(this.blocks),
      here: this.maps.has(this.first),
      settled: this.maps.has(this.first),
      broken: this.spec.broken,
      square: this.square,
      dial: this.dial,
    });
  }

  /** What the errors consist of. @param {Pen} pen */
  drawShares(pen) {
    const place = { x: 16, y: this.layout.budget, width: this.layout.width - 36 };
    const most = Math.max(1e-6, ...this.shares.flatMap(({ all }) => all.filter(Number.isFinite)));
    drawBudget(this, pen, this.shares, { ...place, most, at: `at ${this.pose}` });
  }

  /** Of each network, in the frame on show. */
  get shares() {
    return [this.maps, this.other].flatMap((maps, n) => {
      const { title, colour } = this.networks[n] ?? {};
      if (!maps) return [];
      return [
        { ...maps.sharesOf(this.image, this.frame), title, colour, all: maps.errors[this.image] },
      ];
    });
  }

  /** The networks on show, with their titles and colours. */
  get networks() {
    return [this.maps, this.other].flatMap((maps, n) => {
      const [title, role] = [this.spec.titles[n], this.spec.roles[n]];
      return maps ? [{ errors: maps.errors, title, colour: this.hue(role) }] : [];
    });
  }

  /** @param {Pen} pen */
  drawInput(pen) {
    const { input, narrow } = this.layout;
    const { x, y } = this.corner;
    const [turn, mirror] = [this.turn, this.mirror];
    const most = this.layout.words;
    this.text(pen, "input: drag to turn", x, 8, { font: BOLD, most: Math.max(most, input) });
    drawDisc(pen, this.pictures[this.image], x, y, input, { turn, mirror });
    this.drawHandle(pen, x + input / 2, y + input / 2, input / 2);
    /** @param {number[][]} errors */
    const now = (errors) => errorWords(errors[this.image][this.frame]);
    const lines = [
      { words: `angle ${this.pose}`, font: BOLD },
      { words: "relative error", font: BOLD },
      ...this.networks.map(({ title, errors, colour }) => ({
        words: `${title}: ${now(errors)}`,
        colour,
      })),
      { words: `resampling: ${now(this.baseline)}`, colour: this.hues.base },
    ];
    const left = narrow ? x + input + 30 : x;
    const top = narrow ? y + 24 : y + input + 18;
    lines.forEach(({ words, ...style }, n) => {
      this.text(pen, words, left, top + n * 22, { font: FONT, ...style, most });
    });
  }

  /** @param {Pen} pen @param {number} x @param {number} y @param {number} radius */
  drawHandle(pen, x, y, radius) {
    const across = (radius + 4) * Math.cos(this.turn);
    const up = (radius + 4) * Math.sin(this.turn);
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(x, y, radius + 4, 0, 2 * Math.PI);
    pen.stroke();
    pen.fillStyle = this.hues.equivariant[0];
    pen.beginPath();
    pen.arc(x + across, y - up, 8, 0, 7);
    pen.fill();
  }

  /** @param {Pen} pen @param {number} block @param {string} title @param {boolean} stabilised */
  drawMaps(pen, block, title, stabilised) {
    const { step, cell, gap } = this.layout;
    const { x: left, y } = this.layout.starts[block];
    const { spec } = this;
    const right = left + this.maps.columns * step + 0.35 * step;
    const words = `${spec.titles[0]}, ${title}`;
    this.text(pen, words, left, y, { font: BOLD, most: this.layout.room });
    const before = stabilised ? undefined : this.placesBefore;
    spec.elements.forEach((/** @type {string} */ name, /** @type {number} */ g) => {
      const was = before && before[g] !== g ? `, was ${spec.elements[before[g]]}` : "";
      this.heading(pen, name, was, left + g * step, y + 24, cell);
    });
    this.drawGrid(pen, this.maps, left, y + 44, stabilised);
    const height = this.layout.rows * step - gap;
    this.blocks[stabilised ? "stabilised" : "out"] = [
      left,
      y + 44,
      spec.elements.length * step - gap,
      height,
    ];
    if (!this.other) return;
    const across = this.other.columns * step - gap;
    const room = across + 0.3 * step;
    this.heading(pen, spec.titles[1], "", right - 0.17 * step, y + 24, room);
    this.drawGrid(pen, this.other, right, y + 44, stabilised);
    this.blocks.compare = [right, y + 44, across, height];
    pen.strokeStyle = this.hues.base;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(right - 0.2 * step - gap / 2, y + 28);
    pen.lineTo(right - 0.2 * step - gap / 2, y + 44 + height);
    pen.stroke();
  }

  /** Where each map stood at rest, at the elements of the group. */
  get placesBefore() {
    const { elements } = this.spec;
    if (elements.length < 2) return undefined;
    return placesBefore(this.maps.unturn(this.frame, 0), elements.length);
  }

  /** @param {Pen} pen @param {string} words @param {string} was @param {number} x @param {number} y
   * @param {number} most
   */
  heading(pen, words, was, x, y, most) {
    const all = most < 110 ? (words + was).replaceAll("mirror, ", "m ") : words + was;
    pen.font = SMALL;
    const fits = (/** @type {string} */ one) => pen.measureText(one).width <= 1.6 * most;
    const [name, before] = (was ? [words, was.slice(2)] : [words, ""]).map((one) =>
      most < 110 ? one.replaceAll("mirror, ", "m ") : one,
    );
    const wide = pen.measureText(all).width <= most;
    const shown = wide ? all : was && fits(before) ? before : name;
    const brief = fits(shown) ? shown : shown.replace("m ", "m");
    this.text(pen, brief, x + most / 2, y, { font: SMALL, align: "center", most });
  }

  /** @param {Pen} pen @param {Maps} maps @param {number} x @param {number} y @param {boolean} undo */
  drawGrid(pen, maps, x, y, undo) {
    const { step, cell } = this.layout;
    const [turn, mirror] = [this.computedTurn, this.mirror];
    const last = Math.min(this.first + this.layout.rows, maps.channels);
    const flies = maps === this.maps && !undo;
    const before = flies ? this.placesBefore : undefined;
    const far = flies ? this.flight.progress(this.frame, before) : 1;
    for (let c = this.first; c < last; c++) {
      const top = y + (c - this.first) * step;
      if (!maps.has(c)) {
        if (c === this.first) this.missing(pen, x, y, maps.columns * step);
        continue;
      }
      const where = { image: this.image, frame: this.frame, channel: c };
      for (let g = 0; g < maps.columns; g++) {
        const tile = maps.picture(this.colours, where, g, undo);
        const style = undo ? { turn, mirror, undo } : {};
        const place = before ? g + (1 - far) * (before[g] - g) : g;
        drawDisc(pen, tile, x + place * step, top, cell, style);
      }
    }
  }

  /** In the place of channels that are not here. @param {Pen} pen @param {number} x @param {number} y
   * @param {number} most
   */
  missing(pen, x, y, most) {
    const { first, count } = this.maps.window;
    const here = `channels ${first + 1} to ${first + count} are here`;
    this.text(pen, `${here}; the others need a running kernel`, x, y + 4, {
      colour: this.hues.equivariant[0],
      most: Math.max(most, 200),
    });
  }

  /** @param {Pen} pen */
  drawCurve(pen) {
    const { width, pictures, legend } = this.layout;
    const top = pictures + legend + 26;
    this.curveBox = { x: 56, y: top, width: width - 76, height: CURVE_HEIGHT - 34 };
    const from = this.mirror ? this.spec.steps : 0;
    const dashes = [[], [8, 3]];
    const lines = [
      { errors: this.baseline, title: "resampling", colour: this.hues.base, dash: [4, 3] },
      ...this.networks.map((network, n) => ({ ...network, dash: dashes[n] })),
    ].map(({ errors, ...line }) => ({
      ...line,
      values: errors[this.image].slice(from, from + this.spec.steps),
    }));
    const finite = lines.flatMap(({ values }) => values.filter(Number.isFinite));
    const most = 1.08 * Math.max(1e-6, ...finite);
    this.text(pen, "relative error against the angle", 56, pictures, { font: BOLD });
    this.drawCurves(pen, lines, most, [
      [0, "0"],
      [most / 1.08, (most / 1.08).toPrecision(2)],
    ]);
    let x = legend ? 56 : width - 20;
    const [cost, ...others] = lines; // named in the order in which their errors stand above
    const named = [...others, cost];
    for (const { title, colour } of legend ? named : named.reverse()) {
      const align = legend ? "left" : "right";
      this.text(pen, title, x, pictures + legend, { colour, align });
      x += (legend ? 1 : -1) * (pen.measureText(title).width + 18);
    }
  }

  tellControls() {
    super.tellControls();
    this.thumbnails.forEach((node, n) => {
      describe(node, { "aria-pressed": n === this.image });
    });
    describe(this.squared, { "aria-pressed": this.square });
    describe(this.dialled, { "aria-pressed": this.dial });
    this.pager.tell();
    this.switches.tell();
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => this.speak(), REST);
  }

  /** At rest, for a reader of the screen. */
  speak() {
    const each = this.shares.map((shares) => `${shares.title}: ${budgetWords(shares)}`);
    const words = `relative error at ${this.pose}: ${each.join("; ")}`;
    if (this.spoken.textContent !== words) this.spoken.textContent = words;
  }

  close() {
    super.close();
    clearTimeout(this.speaking);
    this.switches.close();
  }
}

export default page(ImageView);
