// The page of RotateImage. All frames are here as bytes: turning asks nothing of the kernel.
// One canvas holds all pictures, so that it can be saved as one; the controls are plain HTML.

const CURVE_HEIGHT = 130;

/** Errors as they came through JSON, which has no infinity. */
const numbers = (rows) => rows.map((row) => row.map((value) => value ?? Infinity));

/** The pixels of one network: which map stands where, and the two ways to draw it. */
class Maps {
  constructor(data, spec, { channels, orientations, side, unturn, errors }) {
    Object.assign(this, { data, channels, orientations, side, unturn });
    this.errors = numbers(errors);
    this.frames = spec.mirrors * spec.steps;
    this.area = side * side;
    this.mixed = new Float32Array(this.area);
    this.tile = element("canvas", { width: side, height: side });
    this.pen = this.tile.getContext("2d");
    this.image = this.pen.createImageData(side, side);
  }

  /** Where the map of a channel and an orientation begins. */
  start(image, frame, channel, orientation) {
    const map = (image * this.frames + frame) * this.channels + channel;
    return (map * this.orientations + orientation) * this.area;
  }

  /** Draw into the tile: as it came out, or with the orientations mixed back. */
  paint(colours, image, frame, channel, orientation, stabilised) {
    const { area, orientations, mixed, data } = this;
    mixed.fill(0);
    for (let h = 0; h < orientations; h++) {
      const weight = stabilised
        ? this.unturn[frame][orientation * orientations + h]
        : Number(h === orientation);
      if (Math.abs(weight) < 1e-6) continue;
      const from = this.start(image, frame, channel, h);
      for (let p = 0; p < area; p++) mixed[p] += weight * (data[from + p] - 128);
    }
    const out = this.image.data;
    for (let p = 0; p < area; p++) {
      const level = 3 * Math.max(0, Math.min(255, Math.round(mixed[p]) + 128));
      out[4 * p] = colours[level];
      out[4 * p + 1] = colours[level + 1];
      out[4 * p + 2] = colours[level + 2];
      out[4 * p + 3] = 255;
    }
    this.pen.putImageData(this.image, 0, 0);
    return this.tile;
  }
}

/** A picture in a circle; `turn` counter-clockwise after `mirror`, or both undone. */
function drawDisc(pen, picture, x, y, side, { turn = 0, mirror = false, undo = false } = {}) {
  pen.save();
  pen.beginPath();
  pen.arc(x + side / 2, y + side / 2, side / 2, 0, 2 * Math.PI);
  pen.clip();
  pen.translate(x + side / 2, y + side / 2);
  if (undo) {
    if (mirror) pen.scale(-1, 1);
    pen.rotate(turn);
  } else {
    pen.rotate(-turn);
    if (mirror) pen.scale(-1, 1);
  }
  pen.drawImage(picture, -side / 2, -side / 2, side, side);
  pen.restore();
}

/** Where everything stands, for a canvas of a given width. */
function arrange(width, model, other) {
  const columns = model.orientations + (other ? other.orientations + 0.35 : 0);
  const rows = Math.max(model.channels, other ? other.channels : 0);
  const narrow = width < 620;
  const input = narrow ? Math.min(width - 190, 200) : Math.min(220, Math.max(150, 0.21 * width));
  const left = narrow ? 8 : input + 48;
  const gap = 6;
  const cell = Math.min(96, (width - left - 26) / columns - gap);
  const top = narrow ? input + 60 : 8;
  const block = rows * (cell + gap) + 62;
  const pictures = Math.max(top + 2 * block, input + 150);
  const step = cell + gap;
  return { width, input, left, gap, cell, step, top, block, rows, pictures,
           height: pictures + CURVE_HEIGHT + 44 };
}

class View extends CanvasView {
  constructor(context) {
    super(context, "equivlab-rotate");
    const { state } = this;
    this.baseline = numbers(this.spec.baseline);
    this.colours = bytes(state.get("_colours"));
    this.pictures = this.readPictures(bytes(state.get("_pictures")));
    const { spec } = this;
    this.model = new Maps(bytes(state.get("_maps")), spec, {
      channels: spec.channels.length, orientations: spec.elements.length,
      side: spec.side, unturn: spec.unturn, errors: spec.errors,
    });
    this.other = spec.compare && new Maps(bytes(state.get("_compare_maps")), spec, {
      ...spec.compare, unturn: this.identity(spec, spec.compare.orientations),
    });
    if (this.other && spec.compare.orientations === spec.elements.length) {
      this.other.unturn = spec.unturn;
    }
    this.blocks = {}; // where the maps stand: x, y, width, height
    this.build();
  }

  identity(spec, order) {
    const one = Array.from({ length: order * order }, (_, i) => Number(i % (order + 1) === 0));
    return Array(spec.mirrors * spec.steps).fill(one);
  }

  readPictures(data) {
    const side = this.spec.picture, size = side * side;
    return Array.from({ length: this.spec.images }, (_, n) => {
      const canvas = element("canvas", { width: side, height: side });
      const pen = canvas.getContext("2d"), image = pen.createImageData(side, side);
      for (let p = 0; p < size; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = data[3 * (n * size + p) + c];
        image.data[4 * p + 3] = 255;
      }
      pen.putImageData(image, 0, 0);
      return canvas;
    });
  }

  // --- the state -------------------------------------------------------------------------

  get angle() { return this.state.get("angle_deg"); }
  get mirror() { return this.state.get("mirror") && this.spec.mirrors > 1; }
  get step() {
    return Math.round((this.angle * this.spec.steps) / 360) % this.spec.steps;
  }
  get frame() { return (this.mirror ? this.spec.steps : 0) + this.step; }

  turnTo(angle) {
    const grain = 360 / this.spec.steps;
    const rounded = Math.round(angle / grain) * grain;
    this.set({ angle_deg: ((rounded % 360) + 360) % 360 });
  }

  // --- the controls ----------------------------------------------------------------------

  build() {
    const { spec } = this;
    this.canvas = element("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", "Angle of the image, in degrees. Arrow keys turn it.");
    this.canvas.setAttribute("aria-valuemin", 0);
    this.canvas.setAttribute("aria-valuemax", 360);
    this.slider = element("input", {
      type: "range", min: 0, max: 360 - 360 / spec.steps, step: 360 / spec.steps,
    });
    this.slider.setAttribute("aria-label", "Angle in degrees");
    const reset = this.button("Reset", "Back to 0° (r)", () => this.reset());
    this.flip = this.button("Mirror", "Mirror the image (m)", () => this.flipOver());
    const png = this.button("PNG", "Save this picture", () => this.save());
    const choices = this.pictures.map((picture, n) => this.thumbnail(picture, n));
    const bar = element("div", { className: "bar" }, this.slider, reset);
    if (spec.mirrors > 1) bar.append(this.flip);
    bar.append(png);
    if (choices.length > 1) bar.append(...choices);
    this.thumbnails = choices;
    this.el.append(element("style", { textContent: STYLE }), bar, this.canvas);
    this.listen();
  }

  thumbnail(picture, n) {
    const small = element("canvas", { width: 32, height: 32 });
    small.getContext("2d").drawImage(picture, 0, 0, 32, 32);
    const node = element("button", { type: "button", className: "pick", title: `Image ${n + 1}` });
    node.setAttribute("aria-label", `Image ${n + 1}`);
    node.append(small);
    node.addEventListener("click", () => this.set({ image: n }));
    return node;
  }

  reset() { this.set({ angle_deg: 0, mirror: false }); }
  flipOver() { this.set({ mirror: !this.mirror }); }

  listen() {
    super.listen();
    this.on(this.slider, "input", () => this.turnTo(Number(this.slider.value)));
    for (const name of ["angle_deg", "mirror", "image"]) {
      this.onState(`change:${name}`, () => this.redraw());
    }
  }

  key(event) {
    const by = event.shiftKey ? 90 : 360 / this.spec.steps;
    this.actOn(event, {
      ArrowRight: () => this.turnTo(this.angle + by), ArrowUp: () => this.turnTo(this.angle + by),
      ArrowLeft: () => this.turnTo(this.angle - by), ArrowDown: () => this.turnTo(this.angle - by),
      Home: () => this.turnTo(0), r: () => this.reset(),
      m: () => this.spec.mirrors > 1 && this.flipOver(),
    });
  }

  // --- the handle ------------------------------------------------------------------------

  /** The pointer's angle about the middle of the input, and its distance from it. */
  polar(event) {
    const box = this.canvas.getBoundingClientRect(), middle = this.layout.input / 2;
    const x = event.clientX - box.left - this.inputX - middle;
    const y = event.clientY - box.top - this.inputY - middle;
    return { angle: Math.atan2(-y, x) / DEGREES, distance: Math.hypot(x, y) };
  }

  grab(event) {
    const curve = this.curveBox, box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (y > curve.y - 8 && x >= curve.x - 8 && x <= curve.x + curve.width + 8) {
      this.onCurve = true;
    } else {
      const { angle, distance } = this.polar(event);
      if (distance > this.layout.input / 2 + 24) return;
      this.offset = this.angle - angle;
    }
    this.hold(event);
    this.dragging = true;
    this.drag(event);
  }

  drag(event) {
    if (!this.dragging) return;
    if (this.onCurve) {
      const x = event.clientX - this.canvas.getBoundingClientRect().left - this.curveBox.x;
      this.turnTo(Math.max(0, Math.min(355, (360 * x) / this.curveBox.width)));
    } else {
      this.turnTo(this.polar(event).angle + this.offset);
    }
  }

  drop() { this.dragging = this.onCurve = false; }

  // --- the drawing -----------------------------------------------------------------------

  draw() {
    if (!this.fitTo(1100, (width) => arrange(width, this.model, this.other), [this.canvas])) return;
    const pen = this.pen();
    this.drawInput(pen);
    this.drawMaps(pen, 0, "as they come out", false);
    this.drawMaps(pen, 1, "stabilised: turned back and permuted back", true);
    this.drawCurve(pen);
    this.tellControls();
    this.painted += 1;
    this.canvas.dataset.painted = this.painted; // both for tests and benchmarks
    this.canvas.dataset.blocks = JSON.stringify(this.blocks);
  }

  drawInput(pen) {
    const { input } = this.layout, turn = this.angle * DEGREES;
    this.inputX = 18;
    this.inputY = 34;
    this.text(pen, "input: drag to turn", this.inputX, 8, { font: BOLD });
    drawDisc(pen, this.pictures[this.state.get("image")], this.inputX, this.inputY, input,
      { turn, mirror: this.mirror });
    this.drawHandle(pen, this.inputX + input / 2, this.inputY + input / 2, input / 2, turn);
    const y = this.inputY + input + 18;
    const lines = [[`angle ${Math.round(this.angle)}°${this.mirror ? ", mirrored" : ""}`, this.ink]];
    const number = (errors) => errors[this.state.get("image")][this.frame].toPrecision(2);
    const short = (value) => (Number(value) < 1e-5 ? "0 (exact)" : Number(value).toString());
    lines.push(["relative error", this.ink]);
    lines.push([`${this.spec.titles[0]}: ${short(number(this.model.errors))}`, MODEL]);
    if (this.other) lines.push([`${this.spec.titles[1]}: ${short(number(this.other.errors))}`, OTHER]);
    lines.push([`resampling: ${short(number(this.baseline))}`, BASE]);
    const narrow = this.layout.left < input;
    lines.forEach(([words, colour], n) => {
      const x = narrow ? this.inputX + this.layout.input + 30 : this.inputX;
      const top = narrow ? this.inputY + 24 : y;
      this.text(pen, words, x, top + n * 22, { colour, font: n < 2 ? BOLD : FONT });
    });
  }

  drawHandle(pen, x, y, radius, turn) {
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(x, y, radius + 4, 0, 2 * Math.PI);
    pen.stroke();
    pen.fillStyle = MODEL;
    pen.beginPath();
    pen.arc(x + (radius + 4) * Math.cos(turn), y - (radius + 4) * Math.sin(turn), 8, 0, 7);
    pen.fill();
  }

  drawMaps(pen, block, title, stabilised) {
    const { left, step, cell, top, gap } = this.layout, { spec } = this;
    const y = top + block * this.layout.block;
    const right = left + spec.elements.length * step + 0.35 * step;
    this.text(pen, `${spec.titles[0]}, ${title}`, left, y, { font: BOLD });
    if (cell > 34) {
      spec.elements.forEach((name, g) => this.heading(pen, name, left + g * step, y + 24, cell));
    }
    this.drawGrid(pen, this.model, left, y + 44, step, cell, stabilised);
    const height = this.layout.rows * step - gap;
    this.blocks[stabilised ? "stabilised" : "out"] =
      [left, y + 44, spec.elements.length * step - gap, height];
    if (!this.other) return;
    this.heading(pen, spec.titles[1], right, y + 24, cell * this.other.orientations);
    this.drawGrid(pen, this.other, right, y + 44, step, cell, stabilised);
    this.blocks.compare = [right, y + 44, this.other.orientations * step - gap, height];
    pen.strokeStyle = BASE;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(right - 0.2 * step - gap / 2, y + 28);
    pen.lineTo(right - 0.2 * step - gap / 2, y + 44 + height);
    pen.stroke();
  }

  heading(pen, words, x, y, width) {
    const brief = words.replace("mirror, ", "m ");
    this.text(pen, brief, x + width / 2, y, { font: SMALL, align: "center" });
  }

  drawGrid(pen, maps, x, y, step, cell, stabilised) {
    const turn = this.angle * DEGREES, undo = stabilised;
    for (let c = 0; c < maps.channels; c++) {
      for (let g = 0; g < maps.orientations; g++) {
        const image = this.state.get("image");
        const tile = maps.paint(this.colours, image, this.frame, c, g, stabilised);
        drawDisc(pen, tile, x + g * step, y + c * step, cell,
          undo ? { turn, mirror: this.mirror, undo } : {});
      }
    }
  }

  drawCurve(pen) {
    const { width, pictures } = this.layout;
    const box = { x: 56, y: pictures + 26, width: width - 76, height: CURVE_HEIGHT - 34 };
    this.curveBox = box;
    const from = this.mirror ? this.spec.steps : 0, image = this.state.get("image");
    const lines = [[this.baseline, BASE, "resampling", [4, 3]],
                   [this.model.errors, MODEL, this.spec.titles[0], []]];
    if (this.other) lines.push([this.other.errors, OTHER, this.spec.titles[1], [8, 3]]);
    const all = lines.map(([errors]) => errors[image].slice(from, from + this.spec.steps));
    const most = 1.08 * Math.max(1e-6, ...all.flat().filter(Number.isFinite));
    const place = (step, value) => [box.x + (box.width * step) / this.spec.steps,
                                    box.y + box.height * (1 - Math.min(value, most) / most)];
    this.text(pen, "relative error against the angle", box.x, pictures, { font: BOLD });
    this.drawAxes(pen, box, most);
    lines.forEach(([, colour, , dash], n) => {
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(dash);
      pen.beginPath();
      for (let s = 0; s <= this.spec.steps; s++) pen.lineTo(...place(s, all[n][s % this.spec.steps]));
      pen.stroke();
      pen.setLineDash([]);
      const [x, y] = place(this.step, all[n][this.step]);
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x, y, 4, 0, 7);
      pen.fill();
    });
    let x = width - 20;
    for (const [, colour, name] of lines) {
      this.text(pen, name, x, pictures, { colour, align: "right" });
      x -= pen.measureText(name).width + 18;
    }
  }

  drawAxes(pen, box, most) {
    pen.strokeStyle = BASE;
    pen.lineWidth = 1;
    pen.strokeRect(box.x, box.y, box.width, box.height);
    for (const part of [0, 0.5]) {
      const value = (part * most) / 0.54;
      const y = box.y + box.height * (1 - value / most);
      this.text(pen, value.toPrecision(2).replace(/^0\.0$/, "0"), box.x - 6, y - 7,
        { font: SMALL, align: "right" });
    }
    for (let angle = 0; angle <= 360; angle += 45) {
      const x = box.x + (box.width * angle) / 360;
      pen.beginPath();
      pen.moveTo(x, box.y + box.height);
      pen.lineTo(x, box.y + box.height + 4);
      pen.stroke();
      this.text(pen, `${angle}°`, x, box.y + box.height + 7, { font: SMALL, align: "center" });
    }
    const x = box.x + (box.width * this.step) / this.spec.steps;
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(x, box.y);
    pen.lineTo(x, box.y + box.height);
    pen.stroke();
    pen.setLineDash([]);
  }

  tellControls() {
    const angle = Math.round(this.angle);
    if (Number(this.slider.value) !== angle) this.slider.value = angle;
    this.canvas.setAttribute("aria-valuenow", angle);
    this.canvas.setAttribute("aria-valuetext", `${angle}°${this.mirror ? ", mirrored" : ""}`);
    this.flip.setAttribute("aria-pressed", this.mirror);
    this.thumbnails.forEach((node, n) =>
      node.setAttribute("aria-pressed", n === this.state.get("image")));
  }

  save() {
    this.saveAs(`${Math.round(this.angle)}deg`, (pen) => pen.drawImage(this.canvas, 0, 0));
  }
}

const STYLE = `
.equivlab-rotate .bar { max-width: 1100px; }
.equivlab-rotate input[type=range] { flex: 1 1 160px; max-width: 420px; accent-color: ${MODEL}; }
.equivlab-rotate button.pick { padding: 2px; line-height: 0; }
`;

export default page(View);
