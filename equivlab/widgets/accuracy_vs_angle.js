// The page of AccuracyVsAngle: some test images under one handle, what each network takes them
// for, and below them the accuracy on all test images at every angle.

const MARKS = [[MODEL, []], [OTHER, [8, 3]], ["#009e73", [3, 3]], ["#cc79a7", [10, 3, 2, 3]]];
const GAP = 14, LINE = 18, LEGEND = 20;

/** Where everything stands, for a canvas of a given width. */
function arrange(width, images, networks) {
  const rows = Math.ceil(images / Math.floor(width / 100));
  const columns = Math.ceil(images / rows);
  const cell = Math.min(150, (width - 16) / columns - GAP);
  const tile = cell + networks * LINE + 44;
  const across = width < 620 ? 1 : 2;
  const curve = 34 + rows * tile;
  const plot = curve + 26 + LEGEND * Math.ceil(networks / across);
  return { width, columns, cell, tile, across, curve, plot, height: plot + CURVE_HEIGHT };
}

class View extends TurningView {
  constructor(context) {
    super(context, "equivlab-accuracy");
    this.taken = bytes(this.state.get("_taken"));
    this.build("test images");
  }

  /** Where the disc of an image stands. */
  corner(n) {
    const { columns, cell, tile } = this.layout;
    return { x: 8 + GAP / 2 + (n % columns) * (cell + GAP), y: 54 + Math.floor(n / columns) * tile };
  }

  /** The middle of the disc that a point is on. */
  hub(x, y) {
    const middle = this.layout.cell / 2;
    const middles = this.pictures.map((_, n) => this.corner(n))
      .map((at) => ({ x: at.x + middle, y: at.y + middle }));
    return middles.find((at) => Math.hypot(x - at.x, y - at.y) <= middle + 4);
  }

  draw() {
    const { spec } = this, count = this.pictures.length;
    const lay = (width) => arrange(width, count, spec.networks.length);
    if (!this.fitTo(1100, lay, [this.canvas])) return;
    const pen = this.pen();
    this.text(pen, "Drag an image to turn all", 8, 8, { font: BOLD });
    this.text(pen, `angle ${this.pose}`, this.layout.width - 8, 8, { font: BOLD, align: "right" });
    this.pictures.forEach((picture, n) => this.drawTile(pen, picture, n));
    this.drawCurve(pen);
    this.tellControls();
    this.canvas.dataset.disc = JSON.stringify({ ...this.corner(0), side: this.layout.cell });
  }

  drawTile(pen, picture, n) {
    const { cell } = this.layout, { x, y } = this.corner(n), { spec } = this;
    this.text(pen, `true: ${spec.classes[spec.labels[n]]}`, x + cell / 2, y - 19,
      { font: SMALL, align: "center", most: cell });
    drawDisc(pen, picture, x, y, cell, { turn: this.angle * DEGREES, mirror: this.mirror });
    spec.networks.forEach((_, k) => {
      const guess = this.taken[(k * spec.mirrors * spec.steps + this.frame) * this.pictures.length + n];
      const right = guess === spec.labels[n], top = y + cell + 6 + k * LINE;
      this.mark(pen, right, x + 2, top, MARKS[k][0]);
      this.text(pen, spec.classes[guess], x + 20, top, { font: right ? SMALL : BOLD, most: cell - 20 });
    });
  }

  /** A tick or a cross, 12 pixels wide. */
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

  drawCurve(pen) {
    const { width, curve, plot, across } = this.layout, { spec } = this;
    this.curveBox = { x: 56, y: plot + 4, width: width - 76, height: CURVE_HEIGHT - 34 };
    this.text(pen, `Accuracy on ${spec.images} test images against the angle`, 8, curve, { font: BOLD });
    const from = this.mirror ? spec.steps : 0;
    const lines = spec.networks.map(({ name, accuracy }, k) => {
      const [colour, dash] = MARKS[k];
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
      const percent = (100 * accuracy[this.frame]).toFixed(1);
      this.text(pen, `${percent} %  ${name}`, x + 38, y, { most: (width - 76) / across - 46 });
      return [accuracy.slice(from, from + spec.steps), colour, dash];
    });
    const ticks = [0, 0.5, 1].map((value) => [value, `${100 * value} %`]);
    this.drawCurves(pen, lines, 1.04, ticks);
  }
}

export default page(View);
