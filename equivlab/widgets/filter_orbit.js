// The page of FilterOrbit: a filter to paint on, its copies under the group, and the map that
// each makes of the image. All is computed here, at each stroke of the brush.

const BRUSHES = [["+", 1], ["0", 0], ["−", -1]]; // times the largest weight of the filter

/** Cross-correlation with a filter of k × k, zeros outside, of the same size. */
function correlate(image, size, filter, k) {
  const out = new Float32Array(size * size), reach = (k - 1) / 2;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const weight = filter[(dy + reach) * k + dx + reach];
      if (weight === 0) continue;
      const left = Math.max(0, -dx), right = Math.min(size, size - dx);
      for (let y = Math.max(0, -dy); y < Math.min(size, size - dy); y++) {
        const from = (y + dy) * size + dx, to = y * size;
        for (let x = left; x < right; x++) out[to + x] += weight * image[from + x];
      }
    }
  }
  return out;
}

const brief = (name) => name.replace("mirror, ", "m ");
const square = (values) => values.reduce((sum, value) => sum + value * value, 0);
const largest = (grids) => Math.max(1e-12, ...grids.map((grid) =>
  grid.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));

/** Where everything stands, for a canvas of a given width. */
function arrange(width, elements) {
  const narrow = width < 620;
  const side = narrow ? Math.min(150, (width - 40) / 2) : 170;
  const left = narrow ? 8 : side + 44;
  const columns = narrow || elements === 4 ? 4 : 8;
  const cell = Math.min(190, (width - left - 8) / columns - 8);
  const top = narrow ? side + 128 : 8;
  const block = 2 * cell + 72;
  const right = top + (block * elements) / columns + 26;
  return { width, narrow, side, left, columns, cell, top, block,
           height: Math.max(right, narrow ? 0 : 2 * side + 168) };
}

class View extends CanvasView {
  constructor(context) {
    super(context, "equivlab-orbit");
    const { state, spec } = this;
    const floats = bytes(state.get("_image"));
    this.image = new Float32Array(floats.slice().buffer);
    this.moves = { image: this.table("_image_index"), filter: this.table("_filter_index") };
    this.colours = bytes(state.get("_colours"));
    [this.picture] = this.readPictures(bytes(state.get("_picture")));
    this.brush = 0;
    this.spot = Math.floor(spec.side ** 2 / 2);
    this.mirrored = spec.elements.length > 4;
    this.build();
  }

  /** A table of where pixels come from, one row for each element. */
  table(name) {
    const all = new Int32Array(bytes(this.state.get(name)).slice().buffer);
    const length = all.length / this.spec.elements.length;
    return this.spec.elements.map((_, g) => all.subarray(g * length, (g + 1) * length));
  }

  // --- the state -------------------------------------------------------------------------

  get element() { return this.state.get("element"); }
  get weights() { return this.state.get("weights"); }

  /** Act by one element more. */
  act(g) { this.set({ element: this.spec.products[g][this.element] }); }
  turn(quarters) { this.act((quarters + 4) % 4); }
  flipOver() { if (this.mirrored) this.act(4); }

  paintAt(spot) {
    this.spot = spot;
    const weights = [...this.weights];
    const most = largest([weights]);
    weights[spot] = BRUSHES[this.brush][1] * (most > 1e-9 ? most : 1);
    this.set({ weights });
  }

  choose(brush) {
    this.brush = brush;
    this.redraw();
  }

  moveSpot(across, down) {
    const { side } = this.spec, inside = (value) => Math.max(0, Math.min(side - 1, value));
    this.spot = inside(Math.floor(this.spot / side) + down) * side + inside((this.spot % side) + across);
    this.redraw();
  }

  /** The orbit of the filter, and the maps of the image at rest and of the image acted on. */
  compute() {
    const { side, size, products } = this.spec, g = this.element;
    const move = (grid, from) => Float32Array.from(from, (p) => grid[p]);
    this.orbit = this.moves.filter.map((from) => move(this.weights, from));
    const acted = move(this.image, this.moves.image[g]);
    const rest = this.orbit.map((one) => correlate(this.image, size, one, side));
    this.maps = g === 0 ? rest : this.orbit.map((one) => correlate(acted, size, one, side));
    this.limits = { orbit: largest(this.orbit), maps: largest(rest) };
    const wanted = rest.map((map) => move(map, this.moves.image[g])); // wanted[h] belongs at gh
    const off = wanted.map((map, h) => square(map.map((v, p) => v - this.maps[products[g][h]][p])));
    const alone = square(wanted[0].map((v, p) => v - this.maps[0][p]));
    const sum = (values) => values.reduce((a, b) => a + b, 0), ratio = (a, b) => (a ? Math.sqrt(a / b) : 0);
    this.errors = [ratio(sum(off), sum(rest.map(square))), ratio(alone, square(rest[0]))];
  }

  // --- the controls ----------------------------------------------------------------------

  build() {
    this.canvas = element("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "A filter to paint on. Arrow keys turn the image; "
      + "w, a, s, d move the brush, the space bar paints.");
    const bar = element("div", { className: "bar" },
      this.button("Turn", "Turn the image by 90° (→)", () => this.turn(1)));
    if (this.mirrored) bar.append(this.button("Mirror", "Mirror the image (m)", () => this.flipOver()));
    bar.append(this.button("Reset", "The image as it was (r)", () => this.set({ element: 0 })));
    this.brushes = BRUSHES.map(([name], n) =>
      this.button(name, `Paint ${name}`, () => this.choose(n)));
    bar.append(element("span", { textContent: "brush" }), ...this.brushes,
      this.button("Blank", "An empty filter", () => this.set({ weights: this.weights.map(() => 0) })));
    const { filters, side } = this.spec;
    const choices = filters.map((weights, n) =>
      this.pick(this.tile(weights, side, largest([weights])), `Filter ${n + 1}`,
        () => this.set({ weights: [...weights] })));
    if (choices.length > 1) bar.append(...choices);
    bar.append(this.button("PNG", "Save this picture", () =>
      this.saveAs("orbit", (pen) => pen.drawImage(this.canvas, 0, 0))));
    this.el.append(element("style", { textContent: STYLE }), bar, this.canvas);
    this.listen();
    for (const name of ["weights", "element"]) {
      this.onState(`change:${name}`, () => {
        this.maps = undefined;
        this.redraw();
      });
    }
  }

  key(event) {
    this.actOn(event, {
      ArrowRight: () => this.turn(1), ArrowUp: () => this.turn(1),
      ArrowLeft: () => this.turn(-1), ArrowDown: () => this.turn(-1),
      m: () => this.flipOver(), r: () => this.set({ element: 0 }),
      w: () => this.moveSpot(0, -1), s: () => this.moveSpot(0, 1),
      a: () => this.moveSpot(-1, 0), d: () => this.moveSpot(1, 0),
      " ": () => this.paintAt(this.spot),
      "+": () => this.choose(0), 0: () => this.choose(1), "-": () => this.choose(2),
    });
  }

  /** The pixel of the filter under the pointer, or -1. */
  under(event) {
    const box = this.canvas.getBoundingClientRect(), { x, y, side } = this.gridBox;
    const k = this.spec.side;
    const column = Math.floor(((event.clientX - box.left - x) / side) * k);
    const row = Math.floor(((event.clientY - box.top - y) / side) * k);
    return Math.min(row, column) < 0 || Math.max(row, column) >= k ? -1 : row * k + column;
  }

  grab(event) {
    const spot = this.under(event);
    if (spot < 0) return;
    this.hold(event);
    this.painting = true;
    this.paintAt(spot);
  }

  drag(event) {
    const spot = this.painting ? this.under(event) : -1;
    if (spot >= 0 && spot !== this.spot) this.paintAt(spot);
  }

  drop() { this.painting = false; }

  // --- the drawing -----------------------------------------------------------------------

  /** Numbers as colours, in a canvas of as many pixels. */
  tile(values, side, limit) {
    const canvas = element("canvas", { width: side, height: side }), pen = canvas.getContext("2d");
    const image = pen.createImageData(side, side);
    values.forEach((value, p) => {
      const level = 3 * Math.max(0, Math.min(255, Math.round(128 + (127 * value) / limit)));
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = this.colours[level + c];
      image.data[4 * p + 3] = 255;
    });
    pen.putImageData(image, 0, 0);
    return canvas;
  }

  draw() {
    const { spec } = this;
    if (!this.fitTo(1100, (width) => arrange(width, spec.elements.length), [this.canvas])) return;
    if (!this.maps) this.compute();
    const pen = this.pen();
    pen.imageSmoothingEnabled = false;
    this.drawInput(pen);
    this.drawOrbit(pen);
    this.brushes.forEach((node, n) => node.setAttribute("aria-pressed", n === this.brush));
    this.painted += 1;
    Object.assign(this.canvas.dataset, { // for tests
      painted: this.painted,
      element: this.element,
      grid: JSON.stringify(this.gridBox),
      errors: JSON.stringify(this.errors),
      norms: JSON.stringify(this.maps.map((map) => Math.sqrt(square(map)))),
    });
  }

  drawInput(pen) {
    const { side, narrow } = this.layout, { spec } = this, k = spec.side;
    const name = spec.elements[this.element], x = 8;
    this.text(pen, this.element ? `image, acted on: ${brief(name)}` : "image", x, 8,
      { font: BOLD, most: narrow ? side : side + 30 });
    pen.save();
    pen.translate(x + side / 2, 30 + side / 2);
    pen.rotate((-Math.PI / 2) * (this.element % 4));
    if (this.element >= 4) pen.scale(-1, 1);
    pen.drawImage(this.picture, -side / 2, -side / 2, side, side);
    pen.restore();
    const at = narrow ? { x: x + side + 16, y: 30 } : { x, y: side + 66 };
    this.gridBox = { ...at, side };
    this.text(pen, "filter: paint on it", at.x, at.y - 22, { font: BOLD });
    pen.drawImage(this.tile(this.weights, k, this.limits.orbit), at.x, at.y, side, side);
    pen.strokeStyle = BASE;
    pen.lineWidth = 1;
    for (let n = 0; n <= k; n++) {
      const place = (n * side) / k;
      pen.strokeRect(at.x, at.y, place, side);
      pen.strokeRect(at.x, at.y, side, place);
    }
    const row = Math.floor(this.spot / k), column = this.spot % k, step = side / k;
    pen.strokeStyle = MODEL;
    pen.lineWidth = 3;
    pen.strokeRect(at.x + column * step + 1.5, at.y + row * step + 1.5, step - 3, step - 3);
    this.drawErrors(pen, x, (narrow ? 30 : at.y) + side + 12);
  }

  drawErrors(pen, x, y) {
    const short = (value) => (value < 1e-5 ? "0 (exact)" : Number(value.toPrecision(2)).toString());
    this.text(pen, "relative error of the law", x, y, { font: BOLD });
    this.text(pen, `all maps: ${short(this.errors[0])}`, x, y + 22, { colour: MODEL });
    this.text(pen, `the first map alone: ${short(this.errors[1])}`, x, y + 44, { colour: OTHER });
  }

  drawOrbit(pen) {
    const { left, top, columns, cell, block } = this.layout, { spec } = this, g = this.element;
    this.text(pen, "the filter in all its orientations, and the map that each makes", left, top,
      { font: BOLD, most: this.layout.width - left - 8 });
    spec.elements.forEach((name, h) => {
      const x = left + (h % columns) * (cell + 8), y = top + 26 + Math.floor(h / columns) * block;
      this.text(pen, brief(name), x + cell / 2, y, { font: SMALL, align: "center" });
      pen.drawImage(this.tile(this.orbit[h], spec.side, this.limits.orbit), x, y + 18, cell, cell);
      pen.drawImage(this.tile(this.maps[h], spec.size, this.limits.maps), x, y + cell + 24, cell, cell);
      const from = spec.products[g].indexOf(h); // gh' = h: whose map it was
      const words = g ? `was at ${brief(spec.elements[from])}` : "";
      this.text(pen, words, x + cell / 2, y + 2 * cell + 28, { font: SMALL, align: "center", most: cell });
    });
  }
}

const STYLE = `
.equivlab-orbit canvas[tabindex] { cursor: crosshair; }
.equivlab-orbit button.pick canvas { width: 28px; height: 28px; image-rendering: pixelated; }
`;

export default page(View);
