// What the pages share that turn pictures by one angle: the handle, the slider, the keys, and
// curves over the angle. All frames are here already: turning asks nothing of the kernel.

const CURVE_HEIGHT = 130;

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

/** Pictures under one angle. A page adds `hub`, where a handle may be taken, and `draw`. */
class TurningView extends CanvasView {
  constructor(context, kind) {
    super(context, kind);
    this.el.classList.add("equivlab-turning");
    this.pictures = this.readPictures(bytes(this.state.get("_pictures")));
  }

  // --- the state -------------------------------------------------------------------------

  get angle() { return this.state.get("angle_deg"); }
  get mirror() { return this.state.get("mirror") && this.spec.mirrors > 1; }
  get step() {
    return Math.round((this.angle * this.spec.steps) / 360) % this.spec.steps;
  }
  get frame() { return (this.mirror ? this.spec.steps : 0) + this.step; }
  get pose() { return `${Math.round(this.angle)}°${this.mirror ? ", mirrored" : ""}`; }

  turnTo(angle) {
    const grain = 360 / this.spec.steps;
    const rounded = Math.round(angle / grain) * grain;
    this.set({ angle_deg: ((rounded % 360) + 360) % 360 });
  }

  reset() { this.set({ angle_deg: 0, mirror: false }); }
  flipOver() { this.set({ mirror: !this.mirror }); }

  // --- the controls ----------------------------------------------------------------------

  /** The canvas, and above it a bar: the slider, the buttons, and what the page adds. */
  build(what, ...more) {
    const { spec } = this;
    this.canvas = element("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", `Angle of the ${what}, in degrees. Arrow keys turn it.`);
    this.canvas.setAttribute("aria-valuemin", 0);
    this.canvas.setAttribute("aria-valuemax", 360);
    this.slider = element("input", {
      type: "range", min: 0, max: 360 - 360 / spec.steps, step: 360 / spec.steps,
    });
    this.slider.setAttribute("aria-label", "Angle in degrees");
    this.flip = this.button("Mirror", `Mirror the ${what} (m)`, () => this.flipOver());
    const bar = element("div", { className: "bar" }, this.slider,
      this.button("Reset", "Back to 0° (r)", () => this.reset()));
    if (spec.mirrors > 1) bar.append(this.flip);
    bar.append(this.button("PNG", "Save this picture", () => this.save()), ...more);
    this.el.append(element("style", { textContent: TURNING_STYLE }), bar, this.canvas);
    this.listen();
  }

  listen() {
    super.listen();
    this.on(this.slider, "input", () => this.turnTo(Number(this.slider.value)));
    for (const name of ["angle_deg", "mirror"]) this.onState(`change:${name}`, () => this.redraw());
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

  /** After each painting: say where it stands, to the controls, to readers and to tests. */
  tellControls() {
    const angle = Math.round(this.angle);
    if (Number(this.slider.value) !== angle) this.slider.value = angle;
    this.canvas.setAttribute("aria-valuenow", angle);
    this.canvas.setAttribute("aria-valuetext", this.pose);
    this.flip.setAttribute("aria-pressed", this.mirror);
    this.painted += 1;
    this.canvas.dataset.painted = this.painted;
  }

  save() {
    this.saveAs(`${Math.round(this.angle)}deg`, (pen) => pen.drawImage(this.canvas, 0, 0));
  }

  // --- the handle ------------------------------------------------------------------------

  grab(event) {
    const curve = this.curveBox, box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (y > curve.y - 8 && x >= curve.x - 8 && x <= curve.x + curve.width + 8) {
      this.onCurve = true;
    } else {
      this.held = this.hub(x, y);
      if (!this.held) return;
      this.offset = this.angle - this.around(x, y);
    }
    this.hold(event);
    this.dragging = true;
    this.drag(event);
  }

  /** The angle of a point about the middle of what is held, in degrees. */
  around(x, y) { return Math.atan2(this.held.y - y, x - this.held.x) / DEGREES; }

  drag(event) {
    if (!this.dragging) return;
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (this.onCurve) {
      const most = 360 - 360 / this.spec.steps;
      const angle = (360 * (x - this.curveBox.x)) / this.curveBox.width;
      this.turnTo(Math.max(0, Math.min(most, angle)));
    } else {
      this.turnTo(this.around(x, y) + this.offset);
    }
  }

  drop() { this.dragging = this.onCurve = false; }

  // --- the curves ------------------------------------------------------------------------

  /** Curves over the angle in `curveBox`; `lines` are [values, colour, dash], one value a step. */
  drawCurves(pen, lines, most, ticks) {
    const box = this.curveBox, { steps } = this.spec;
    const place = (step, value) => [box.x + (box.width * step) / steps,
                                    box.y + box.height * (1 - Math.min(value, most) / most)];
    this.drawAxes(pen, box, most, ticks);
    for (const [values, colour, dash] of lines) {
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(dash);
      pen.beginPath();
      for (let s = 0; s <= steps; s++) pen.lineTo(...place(s, values[s % steps]));
      pen.stroke();
      pen.setLineDash([]);
      const [x, y] = place(this.step, values[this.step]);
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x, y, 4, 0, 7);
      pen.fill();
    }
  }

  drawAxes(pen, box, most, ticks) {
    pen.strokeStyle = BASE;
    pen.lineWidth = 1;
    pen.strokeRect(box.x, box.y, box.width, box.height);
    for (const [value, words] of ticks) {
      const y = box.y + box.height * (1 - value / most);
      this.text(pen, words, box.x - 6, y - 7, { font: SMALL, align: "right" });
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
}

const TURNING_STYLE = `
.equivlab-turning .bar { max-width: 1100px; }
.equivlab-turning input[type=range] { flex: 1 1 160px; max-width: 420px; accent-color: ${MODEL}; }
`;
