// The page of RotateImage. All frames are here as bytes: turning asks nothing of the kernel.
// One canvas holds all pictures, so that it can be saved as one; the controls are plain HTML.

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

class View extends TurningView {
  constructor(context) {
    super(context, "equivlab-rotate");
    const { state, spec } = this;
    this.baseline = numbers(spec.baseline);
    this.colours = bytes(state.get("_colours"));
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
    const choices = this.pictures.map((picture, n) => this.thumbnail(picture, n));
    this.thumbnails = choices;
    this.build("image", ...(choices.length > 1 ? choices : []));
  }

  identity(spec, order) {
    const one = Array.from({ length: order * order }, (_, i) => Number(i % (order + 1) === 0));
    return Array(spec.mirrors * spec.steps).fill(one);
  }

  thumbnail(picture, n) {
    const small = element("canvas", { width: 32, height: 32 });
    small.getContext("2d").drawImage(picture, 0, 0, 32, 32);
    return this.pick(small, `Image ${n + 1}`, () => this.set({ image: n }));
  }

  listen() {
    super.listen();
    this.onState("change:image", () => this.redraw());
  }

  /** The middle of the input, if the point is on its disc or its handle. */
  hub(x, y) {
    const middle = this.layout.input / 2, at = { x: this.inputX + middle, y: this.inputY + middle };
    return Math.hypot(x - at.x, y - at.y) <= middle + 24 ? at : undefined;
  }

  // --- the drawing -----------------------------------------------------------------------

  draw() {
    if (!this.fitTo(1100, (width) => arrange(width, this.model, this.other), [this.canvas])) return;
    const pen = this.pen();
    this.drawInput(pen);
    this.drawMaps(pen, 0, "as they come out", false);
    this.drawMaps(pen, 1, "stabilised: turned back and permuted back", true);
    this.drawCurve(pen);
    this.tellControls();
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
    const lines = [[`angle ${this.pose}`, this.ink]];
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
    this.text(pen, "relative error against the angle", box.x, pictures, { font: BOLD });
    const ticks = [0, most / 1.08].map((value) => [value, value.toPrecision(2).replace(/^0\.0$/, "0")]);
    this.drawCurves(pen, lines.map(([, colour, , dash], n) => [all[n], colour, dash]), most, ticks);
    let x = width - 20;
    for (const [, colour, name] of lines) {
      this.text(pen, name, x, pictures, { colour, align: "right" });
      x -= pen.measureText(name).width + 18;
    }
  }

  tellControls() {
    super.tellControls();
    this.thumbnails.forEach((node, n) =>
      node.setAttribute("aria-pressed", n === this.state.get("image")));
  }
}

export default page(View);
