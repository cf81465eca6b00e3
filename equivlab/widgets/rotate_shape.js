// The page of RotateShape. WebGL draws the shapes, a 2-D canvas above it the words and the curve.
// With a kernel each rotation is asked for: one question in flight, then the latest. Without one
// the shape moves through the rotations that came with the page.

const HEAD = 26, FOOT = 22; // height of a picture's title, and of the number below it
const GLYPH = 10; // numbers for each place: scalar, vector, xx xy xz yy yz zz
const STRETCH = 0.75; // how far an ellipsoid of the largest feature is from a ball
const ARROW = 0.45, SHORTEST = 0.03; // length of the longest arrow, and of the shortest drawn
const KEEP = 400; // rotations remembered for the curve

const copy = (view) => bytes(view).slice().buffer; // aligned, whatever the offset
const numbers = (row) => row.map((value) => value ?? Infinity); // JSON has no infinity
const short = (value) => (value < 1e-5 ? "0 (exact)" : Number(value.toPrecision(2)).toString());

/** Where everything stands, for a page of a given width: squares [x, y, side]. */
function arrange(width, views) {
  const narrow = width < 640, gap = 12;
  const side = Math.floor(narrow ? (width - gap) / 2 : Math.min(300, (width - 2 * gap) / 3));
  const row = side + HEAD + FOOT;
  const boxes = { input: [0, HEAD, side], out: [], back: [] };
  const down = narrow ? 1 : 0;
  for (let n = 0; n < views; n++) {
    const x = narrow ? 0 : side + gap, y = HEAD + (n + down) * row;
    boxes.out.push([x, y, side]);
    boxes.back.push([x + side + gap, y, side]);
  }
  const words = narrow ? { x: side + gap, y: HEAD + 4 } : { x: 8, y: HEAD + side + 10 };
  const below = narrow ? (views + 1) * row : row;
  const lines = 22 * (3 + views);
  const wide = narrow || views === 1 ? (narrow ? width : 3 * side + 2 * gap) : side;
  const curve = narrow
    ? { x: 52, y: below + 24, width: wide - 74, height: 110 }
    : { x: 52, y: HEAD + side + 14 + lines + 24, width: wide - 74, height: 0 };
  if (!narrow) curve.height = views === 1 ? 110 : Math.max(80, 2 * row - curve.y - 30);
  return { ...boxes, words, curve, side, width, height: curve.y + curve.height + 42 };
}

class View extends CanvasView {
  constructor(context) {
    super(context, "equivlab-shape");
    const { state } = this;
    this.colours = bytes(state.get("_colours"));
    this.places = new Float32Array(copy(state.get("_places")));
    this.drawn = bytes(state.get("_drawn"));
    const { counts, poses, views } = this.spec;
    this.starts = counts.map((_, n) => counts.slice(0, n).reduce((a, b) => a + b, 0));
    const parts = ["_atlas", "_compare_atlas"].slice(0, views.length);
    this.atlas = parts.map((name) => new Int16Array(copy(state.get(name))));
    this.views = views.map((view, n) => ({ ...view, colour: n ? OTHER : MODEL,
      title: this.spec.titles[n], tint: n ? [0, 0.36, 0.62] : [0.72, 0.33, 0.02] }));
    this.baseline = this.spec.baselines.map(numbers);
    this.angles = poses.map(angleOf);
    this.show = { colour: true, arrows: true, ellipsoids: true };
    this.live = false; // until a kernel has answered
    this.seen = counts.map(() => []); // live readings, for the curve
    this.answers = 0;
    this.serial = 0;
    this.build();
    this.read();
    this.ask();
  }

  // --- the state -------------------------------------------------------------------------

  get shape() { return Math.min(this.state.get("shape"), this.spec.counts.length - 1); }
  get rotation() { return unit(this.state.get("rotation")); }

  /** Turn by an angle about an axis of the room: freely, or to the next rotation that is here. */
  turn(axis, angle) {
    if (this.live) {
      const q = axis === "z" ? about([0, 0, 1], angle)
        : about(this.axes[axis === "right" ? 0 : 2], angle);
      this.set({ rotation: unit(times(q, this.rotation)) });
    } else {
      this.turnInSteps(axis, angle);
    }
  }

  turnInSteps(axis, angle) {
    const { turns, poses } = this.spec;
    if (!turns) return;
    const tilts = poses.length / turns;
    const now = this.nearest();
    const grain = axis === "z" ? (2 * Math.PI) / turns : Math.PI / 2 / (tilts - 1);
    this.slack ??= { z: 0, right: 0 };
    if (!(axis in this.slack)) return;
    const far = this.slack[axis] + angle; // what is left of a step waits for the next move
    const steps = Math.trunc(far / grain + Math.sign(far) * 1e-6);
    this.slack[axis] = far - steps * grain;
    let tilt = Math.floor(now / turns), turn = now % turns;
    if (axis === "z") turn = (((turn + steps) % turns) + turns) % turns;
    else tilt = Math.max(0, Math.min(tilts - 1, tilt + steps));
    this.set({ rotation: poses[tilt * turns + turn] });
  }

  /** The number of the nearest rotation among those that came with the page. */
  nearest(q = this.rotation) {
    let best = 0, most = -1;
    this.spec.poses.forEach((pose, n) => {
      const close = Math.abs(pose.reduce((sum, v, k) => sum + v * q[k], 0));
      if (close > most + 1e-9) [best, most] = [n, close];
    });
    return best;
  }

  // --- the features ----------------------------------------------------------------------

  /** Take the features that came with the page, unless a kernel gives better ones. */
  read() {
    const { poses, counts, levels } = this.spec, shape = this.shape;
    const pose = this.nearest(), size = counts[shape] * GLYPH;
    const from = this.starts[shape] * GLYPH * poses.length + pose * size;
    this.reading = {
      shape, pose, rotation: poses[pose], baseline: this.baseline[shape][pose],
      errors: this.views.map((view) => numbers(view.errors[shape])[pose]),
      glyphs: this.atlas.map((all) => Float32Array.from(all.subarray(from, from + size),
        (v) => v / levels)),
    };
  }

  /** Ask the kernel for the present rotation, if no other question is open. */
  ask() {
    const pose = { shape: this.shape, rotation: this.rotation };
    if (this.open || (this.live && this.reading.shape === pose.shape
        && same(this.reading.rotation, pose.rotation))) return;
    this.open = { ...pose, serial: ++this.serial };
    this.state.send({ kind: "pose", ...this.open });
  }

  hear(content, buffers) {
    if (!this.open || content.serial !== this.open.serial) return;
    this.open = undefined;
    this.trouble = content.kind === "trouble" ? content.text : undefined;
    if (!this.trouble) {
      this.live = true;
      this.answers += 1;
      this.reading = {
        shape: content.shape, rotation: content.rotation, baseline: content.baseline ?? Infinity,
        errors: numbers(content.errors),
        glyphs: buffers.map((buffer) =>
          Float32Array.from(new Int16Array(copy(buffer)), (v) => v / this.spec.levels)),
      };
      const seen = this.seen[content.shape];
      seen.push({ angle: angleOf(content.rotation), ...this.reading });
      if (seen.length > KEEP) seen.shift();
      this.ask();
    }
    this.redraw();
  }

  /** The state has changed, here or in the kernel. */
  changed() {
    if (!this.live || this.reading.shape !== this.shape) this.read();
    this.ask();
    this.redraw();
  }

  // --- the controls ----------------------------------------------------------------------

  build() {
    this.depths = element("canvas");
    this.canvas = element("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", "Rotation of the shape. Left and right arrows turn it, "
      + "up and down tilt it, brackets roll it, r resets it.");
    this.canvas.setAttribute("aria-valuemin", 0);
    this.canvas.setAttribute("aria-valuemax", 180);
    this.axes = [0, 3, 6].map((n) => eye(this.spec.azimuth).slice(n, n + 3));
    this.scene = new Scene(this.depths, this.spec.azimuth);
    const bar = element("div", { className: "bar" });
    bar.append(
      this.button("Reset", "Upright again (r)", () => this.set({ rotation: [1, 0, 0, 0] })),
      this.button("Random", "Any rotation", () => this.random()),
    );
    const words = { arrows: "Arrows", ellipsoids: "Ellipsoids", colour: "Colour" };
    this.switches = Object.keys(words).filter((name) =>
      this.views.some((view) => view.shown.includes(name))).map((name) => {
      const node = this.button(words[name], `Show or hide: ${name}`, () => {
        this.show[name] = !this.show[name];
        this.redraw();
      });
      node.dataset.name = name;
      return node;
    });
    bar.append(...this.switches, this.button("PNG", "Save this picture", () => this.save()));
    this.picks = this.spec.counts.length < 2 ? [] : this.spec.counts.map((_, n) =>
      this.button(`${n + 1}`, `Shape ${n + 1}`, () => this.set({ shape: n })));
    this.picks.forEach((node, n) => node.setAttribute("aria-label", `Shape ${n + 1}`));
    bar.append(...this.picks);
    this.stage = element("div", { className: "stage" }, this.depths, this.canvas);
    this.el.append(element("style", { textContent: STYLE }), bar, this.stage);
    this.listen();
  }

  random() {
    if (!this.live) {
      const { poses } = this.spec;
      return this.set({ rotation: poses[Math.floor(Math.random() * poses.length)] });
    }
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random()))
      * Math.cos(2 * Math.PI * Math.random());
    return this.set({ rotation: unit([normal(), normal(), normal(), normal()]) });
  }

  listen() {
    super.listen();
    this.on(this.depths, "webglcontextlost", (event) => event.preventDefault());
    this.on(this.depths, "webglcontextrestored", () => { this.scene.setUp(); this.redraw(); });
    for (const name of ["rotation", "shape"]) this.onState(`change:${name}`, () => this.changed());
    this.onState("msg:custom", (content, buffers) => this.hear(content, buffers));
  }

  key(event) {
    const step = this.live ? 5 * DEGREES : (2 * Math.PI) / (this.spec.turns || 1);
    const by = event.shiftKey ? Math.PI / 2 : step;
    const tilt = event.shiftKey || !this.live ? Math.PI / (event.shiftKey ? 2 : 4) : by;
    const acts = {
      ArrowRight: () => this.turn("z", by), ArrowLeft: () => this.turn("z", -by),
      ArrowDown: () => this.turn("right", tilt), ArrowUp: () => this.turn("right", -tilt),
      "[": () => this.turn("back", by), "]": () => this.turn("back", -by),
      "{": () => this.turn("back", by), "}": () => this.turn("back", -by),
      r: () => this.set({ rotation: [1, 0, 0, 0] }),
      Home: () => this.set({ rotation: [1, 0, 0, 0] }),
    };
    this.slack = undefined;
    this.actOn(event, acts);
  }

  grab(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const squares = [this.layout.input, ...this.layout.out, ...this.layout.back];
    if (!squares.some(([l, t, s]) => x >= l && x <= l + s && y >= t && y <= t + s)) return;
    this.hold(event);
    this.held = [event.clientX, event.clientY];
    this.slack = undefined;
  }

  drag(event) {
    if (!this.held) return;
    const speed = (Math.PI / this.layout.side) * 0.9; // most of a half turn across a picture
    const [dx, dy] = [event.clientX - this.held[0], event.clientY - this.held[1]];
    this.held = [event.clientX, event.clientY];
    if (dx) this.turn("z", dx * speed);
    if (dy) this.turn("right", dy * speed);
  }

  drop() { this.held = undefined; }

  // --- the drawing -----------------------------------------------------------------------

  fitted() {
    this.stage.style.height = `${this.layout.height}px`;
    this.canvas.dataset.boxes = JSON.stringify(this.layout); // for tests
  }

  draw() {
    const canvases = [this.depths, this.canvas];
    if (!this.fitTo(980, (width) => arrange(width, this.views.length), canvases)) return;
    const pen = this.pen();
    this.cage = this.ink.match(/[\d.]+/g).slice(0, 3).map((v) => 0.45 + (0.1 * v) / 255);
    if (this.scene.gl && !this.scene.gl.isContextLost()) this.drawScenes();
    this.drawWords(pen);
    this.drawCurve(pen);
    this.tellControls();
    this.painted += 1;
    Object.assign(this.canvas.dataset, { // for tests and benchmarks
      painted: this.painted, answers: this.answers, live: this.live,
      errors: JSON.stringify(this.reading.errors),
    });
  }

  drawScenes() {
    const { scene, layout, scale, reading } = this, still = matrix([1, 0, 0, 0]);
    scene.clear();
    scene.frame(layout.input, scale);
    this.drawInput(matrix(this.live ? this.rotation : reading.rotation));
    scene.drawCage(still, this.cage);
    const R = matrix(reading.rotation);
    this.views.forEach((view, n) => {
      scene.frame(layout.out[n], scale);
      this.drawGlyphs(view, reading.glyphs[n], R, still);
      scene.drawCage(still, this.cage);
      scene.frame(layout.back[n], scale);
      this.drawGlyphs(view, reading.glyphs[n], still, flipped(R));
    });
  }

  drawInput(turn) {
    const { kind, drawn, counts } = this.spec, shape = this.shape;
    const before = drawn.slice(0, shape);
    if (kind === "voxels") {
      const from = before.reduce((sum, side) => sum + side ** 3, 0), side = drawn[shape];
      const grid = this.drawn.subarray(from, from + side ** 3);
      this.scene.drawVoxels(shape, () => voxelFaces(grid, side), turn);
      return;
    }
    const from = before.reduce((a, b) => a + b, 0), count = drawn[shape];
    const spots = new Float32Array(this.drawn.slice(12 * from, 12 * (from + count)).buffer);
    const size = Math.min(0.06, 0.5 / Math.cbrt(counts[shape] + count));
    const values = new Float32Array(count * BALL);
    for (let n = 0; n < count; n++) {
      values.set(apply(turn, spots.subarray(3 * n, 3 * n + 3)), BALL * n);
      values.set([size, 0, 0, 0, size, 0, 0, 0, size, ...SHAPE], BALL * n + 3);
    }
    this.scene.drawBalls(values);
  }

  /** The features of one network, places turned by `move` and features by `turn`. */
  drawGlyphs(view, glyphs, move, turn) {
    const count = glyphs.length / GLYPH, from = this.starts[this.reading.shape];
    const size = this.spec.sizes[this.reading.shape];
    const balls = new Float32Array(count * BALL), arrows = [];
    const pointed = this.show.arrows && view.shown.includes("arrows");
    const deep = this.show.ellipsoids && view.shown.includes("ellipsoids");
    const tinted = this.show.colour && view.shown.includes("colour");
    for (let n = 0; n < count; n++) {
      const g = GLYPH * n;
      const spot = apply(move, this.places.subarray(3 * (from + n), 3 * (from + n) + 3));
      balls.set(spot, BALL * n);
      balls.set(deep ? this.ellipsoid(glyphs.subarray(g + 4, g + 10), turn, size)
        : [size, 0, 0, 0, size, 0, 0, 0, size], BALL * n + 3);
      const level = 3 * (tinted ? Math.round(127.5 + 127.5 * glyphs[g]) : 128);
      for (let c = 0; c < 3; c++) balls[BALL * n + 12 + c] = this.colours[level + c] / 255;
      if (pointed) arrows.push([spot, apply(turn, glyphs.subarray(g + 1, g + 4))]);
    }
    this.scene.drawBalls(balls);
    if (pointed) this.drawArrows(arrows, size, view.tint);
  }

  /** Arrows from the middles of the balls, so much longer that what is seen counts. */
  drawArrows(arrows, within, tint) {
    const long = arrows.map(([spot, vector]) => [spot, vector, Math.hypot(...vector)])
      .filter(([, , length]) => ARROW * length > SHORTEST);
    const size = 6 * ARROW_MESH.corners.length, out = new Float32Array(size * long.length);
    long.forEach(([spot, vector, length], n) =>
      putArrow(out, size * n, spot, vector.map((v) => v / length), within + ARROW * length));
    this.scene.drawArrows(out, tint);
  }

  /** size · (1 + STRETCH · T S Tᵗ): columns of the matrix that makes a ball an ellipsoid. */
  ellipsoid([xx, xy, xz, yy, yz, zz], T, size) {
    const S = [xx, xy, xz, xy, yy, yz, xz, yz, zz];
    const half = [0, 1, 2].flatMap((i) => apply(S, T.slice(3 * i, 3 * i + 3))); // rows: S tᵢ
    const out = new Array(9);
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) {
      const turned = T[3 * i] * half[3 * j] + T[3 * i + 1] * half[3 * j + 1]
        + T[3 * i + 2] * half[3 * j + 2];
      out[3 * i + j] = size * (1.15 * (i === j) + 1.15 * STRETCH * turned);
    }
    return out;
  }

  drawWords(pen) {
    const { layout, reading } = this;
    const title = ([x, y, side], words, colour) =>
      this.text(pen, words, x + side / 2, y - 20, { font: BOLD, align: "center", colour, most: side });
    title(layout.input, this.scene.gl ? "input: drag to turn" : "this browser has no WebGL 2");
    this.views.forEach((view, n) => {
      title(layout.out[n], `${view.title}: as it comes out`, view.colour);
      title(layout.back[n], `${view.title}: turned back`, view.colour);
      const number = `error ${short(reading.errors[n])}`;
      for (const [x, y, side] of [layout.out[n], layout.back[n]]) {
        this.text(pen, number, x + side / 2, y + side + 1, { colour: view.colour, align: "center" });
      }
    });
    const still = matrix([1, 0, 0, 0]), back = flipped(matrix(reading.rotation));
    this.drawAxes(pen, layout.input, still);
    layout.out.forEach((box) => this.drawAxes(pen, box, still));
    layout.back.forEach((box) => this.drawAxes(pen, box, back));
    const lines = [
      [`turned by ${Math.round(angleOf(reading.rotation))}°`, this.ink, BOLD],
      ["relative error", this.ink, BOLD],
      ...this.views.map((view, n) => [`${view.title}: ${short(reading.errors[n])}`, view.colour]),
    ];
    if (this.spec.kind === "voxels") lines.push([`resampling: ${short(reading.baseline)}`, BASE]);
    else lines.push(["points turn exactly", BASE]);
    const most = layout.words.x ? layout.width - layout.words.x : layout.side;
    lines.forEach(([words, colour, font], n) =>
      this.text(pen, words, layout.words.x, layout.words.y + 22 * n, { colour, font, most: most - 8 }));
    if (this.trouble) {
      this.text(pen, this.trouble, 8, layout.height - 18, { font: SMALL, colour: MODEL, most: layout.width - 16 });
    }
  }

  /** The axes of the room: they turn only where the picture is turned back. */
  drawAxes(pen, [x, y, side], R) {
    const middle = [x + 24, y + side - 18];
    ["x", "y", "z"].forEach((name, n) => {
      const axis = [R[n], R[3 + n], R[6 + n]];
      const [right, up] = [0, 1].map((k) => apply(this.axes[k].concat(0, 0, 0, 0, 0, 0), axis)[0]);
      const end = [middle[0] + 19 * right, middle[1] - 19 * up];
      Object.assign(pen, { strokeStyle: BASE, lineWidth: 1.5 });
      pen.beginPath();
      pen.moveTo(...middle);
      pen.lineTo(...end);
      pen.stroke();
      this.text(pen, name, middle[0] + 27 * right, middle[1] - 27 * up - 7,
        { font: SMALL, colour: BASE, align: "center" });
    });
  }

  drawCurve(pen) {
    const { x, y, width, height } = this.layout.curve, shape = this.reading.shape;
    const seen = this.seen[shape], { scale, layout } = this;
    const state = [shape, seen.length, seen.at(-1)?.angle, layout.width, scale, this.ink].join();
    if (this.cloud?.state !== state) this.cloud = { state, ...this.paintCloud(shape) };
    const { canvas, most } = this.cloud;
    pen.drawImage(canvas, 0, y - 24, canvas.width / scale, canvas.height / scale);
    const dot = (error, colour, radius) => {
      const now = angleOf(this.reading.rotation);
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x + (width * now) / 180, y + height * (1 - Math.min(error, most) / most), radius, 0, 7);
      pen.fill();
    };
    if (this.spec.kind === "voxels") dot(this.reading.baseline, BASE, 4.5);
    this.views.forEach((view, n) => dot(this.reading.errors[n], view.colour, 5.5));
  }

  /** The curve with a dot for every rotation so far; kept, since most paints only turn the shape. */
  paintCloud(shape) {
    const { x, y, width, height } = this.layout.curve, dots = [];
    this.angles.forEach((angle, pose) => {
      dots.push([angle, this.baseline[shape][pose], BASE]);
      this.views.forEach((view) => dots.push([angle, view.errors[shape][pose], view.colour]));
    });
    for (const one of this.seen[shape]) {
      dots.push([one.angle, one.baseline, BASE]);
      this.views.forEach((view, n) => dots.push([one.angle, one.errors[n], view.colour]));
    }
    const finite = dots.map(([, error]) => error).filter(Number.isFinite);
    const most = 1.1 * Math.max(0.01, ...finite); // what is exact lies on the line
    const canvas = element("canvas", { width: Math.ceil((x + width + 20) * this.scale),
      height: Math.ceil((height + 54) * this.scale) });
    const pen = canvas.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, (24 - y) * this.scale);
    this.text(pen, "relative error against the angle", x - 44, y - 22, { font: BOLD, most: width + 40 });
    this.curveAxes(pen, this.layout.curve, most);
    pen.globalAlpha = 0.45;
    for (const [angle, error, colour] of dots) { // squares: there are many, and circles are slow
      const left = x + (width * angle) / 180;
      const top = y + height * (1 - Math.min(error ?? most, most) / most);
      pen.fillStyle = colour;
      pen.fillRect(left - 1.75, top - 1.75, 3.5, 3.5);
    }
    return { canvas, most };
  }

  curveAxes(pen, { x, y, width, height }, most) {
    Object.assign(pen, { strokeStyle: BASE, lineWidth: 1 });
    pen.strokeRect(x, y, width, height);
    for (const part of [0, 0.5]) {
      this.text(pen, part ? (part * most).toPrecision(1 + (most < 1e-3)) : "0", x - 6,
        y + height * (1 - part) - 7, { font: SMALL, align: "right" });
    }
    for (let angle = 0; angle <= 180; angle += 45) {
      const at = x + (width * angle) / 180;
      pen.beginPath();
      pen.moveTo(at, y + height);
      pen.lineTo(at, y + height + 4);
      pen.stroke();
      this.text(pen, `${angle}°`, at, y + height + 7, { font: SMALL, align: "center" });
    }
  }

  tellControls() {
    const angle = Math.round(angleOf(this.reading.rotation));
    this.canvas.setAttribute("aria-valuenow", angle);
    this.canvas.setAttribute("aria-valuetext", `turned by ${angle}°, relative error `
      + this.reading.errors.map(short).join(" and "));
    this.picks.forEach((node, n) => node.setAttribute("aria-pressed", n === this.shape));
    this.switches.forEach((node) => node.setAttribute("aria-pressed", this.show[node.dataset.name]));
  }

  save() {
    this.draw(); // WebGL keeps its picture only until the next paint
    this.saveAs(`shape-${Math.round(angleOf(this.reading.rotation))}deg`, (pen) => {
      pen.drawImage(this.depths, 0, 0);
      pen.drawImage(this.canvas, 0, 0);
    });
  }

  close() {
    super.close();
    this.scene.gl?.getExtension("WEBGL_lose_context")?.loseContext(); // a page has only a few
  }
}

const STYLE = `
.equivlab-shape .stage { position: relative; }
.equivlab-shape .stage canvas { position: absolute; left: 0; top: 0; }
`;

export default page(View);
