// The page of RotateSphere. The globe turns here, in WebGL; only features ask the kernel, one
// question at a time, and when its answer comes the latest pose is asked for, nothing between.
// Two WebGL canvases, of the globe and of both views of the features, lie under a plain one with
// titles and rings, which takes keys and pointers. While the globe turns, only its own is drawn.

const PATIENCE = 4000; // ms without an answer, after which the page says that it waits
const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

// --- rotations: 3 × 3, row after row, acting on columns x (to the reader), y (right), z (up) ---

const multiply = (a, b) => IDENTITY.map((_, n) => {
  const row = 3 * Math.floor(n / 3), column = n % 3;
  return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
});

/** The turn about a unit axis by an angle (Rodrigues). */
function about([x, y, z], angle) {
  const c = Math.cos(angle), s = Math.sin(angle), d = 1 - c;
  return [c + x * x * d, x * y * d - z * s, x * z * d + y * s,
          y * x * d + z * s, c + y * y * d, y * z * d - x * s,
          z * x * d - y * s, z * y * d + x * s, c + z * z * d];
}

/** The shortest turn that takes one unit vector to another. */
function fromTo(a, b) {
  const cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const sine = Math.hypot(...cross), cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  return sine < 1e-9 ? IDENTITY : about(cross.map((v) => v / sine), Math.atan2(sine, cosine));
}

/** Rows made orthonormal again, after many products. */
function cleaned(r) {
  const unit = (v) => v.map((one) => one / Math.hypot(...v));
  const a = unit(r.slice(0, 3)), raw = r.slice(3, 6);
  const part = raw[0] * a[0] + raw[1] * a[1] + raw[2] * a[2];
  const b = unit(raw.map((v, n) => v - part * a[n]));
  return [...a, ...b, a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** The angle of a rotation, in degrees. */
const angleOf = (r) => Math.acos(Math.max(-1, Math.min(1, (r[0] + r[4] + r[8] - 1) / 2))) / DEGREES;

// --- the sphere: each pixel of a square asks which direction it looks at ------------------------

const VERTEX = `#version 300 es
in vec2 corner; out vec2 at;
void main() { at = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D picture, colours; uniform mat3 turned; uniform float halfPixel, line, pixel, grid;
in vec2 at; out vec4 colour;
const float PI = 3.14159265359;
void main() {
  float square = dot(at, at);
  vec3 seen = vec3(sqrt(max(0.0, 1.0 - square)), at);
  vec3 d = turned * seen; // the point of the signal that stands here
  vec2 place = vec2(atan(d.y, d.x) / (2.0 * PI) + halfPixel, acos(clamp(d.z, -1.0, 1.0)) / PI);
  float level = textureLod(picture, place, 0.0).r;
  vec3 own = textureLod(colours, vec2((level * 255.0 + 0.5) / 256.0, line), 0.0).rgb;
  float equator = abs(d.z), meridian = d.x > 0.0 ? abs(d.y) : 1.0; // shows how it is turned
  float near = 1.0 - smoothstep(pixel, 2.0 * pixel, min(equator, meridian));
  own = mix(own, vec3(1.0), 0.55 * grid * near);
  float edge = 1.0 - smoothstep(1.0 - 2.5 * pixel, 1.0, sqrt(square));
  colour = vec4(own * (0.72 + 0.28 * seen.x), 1.0) * edge;
}`;

/** One WebGL canvas, and the pictures and colours that it can draw on spheres. */
class Painter {
  constructor(canvas, colours) {
    this.canvas = canvas;
    const options = { antialias: false, depth: false, preserveDrawingBuffer: true };
    const gl = (this.gl = canvas.getContext("webgl2", options));
    if (!gl) return; // the rings stay empty, and the words say why
    this.program = this.link();
    const square = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, square);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.places = {};
    for (const name of ["turned", "halfPixel", "line", "pixel", "grid", "picture", "colours"]) {
      this.places[name] = gl.getUniformLocation(this.program, name);
    }
    gl.uniform1i(this.places.picture, 0);
    gl.uniform1i(this.places.colours, 1);
    const table = this.texture({ smooth: false });
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 2, 0, gl.RGB, gl.UNSIGNED_BYTE, colours);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, table);
  }

  link() {
    const { gl } = this, program = gl.createProgram();
    for (const [kind, code] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, code);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(`WebGL: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    return program;
  }

  texture({ smooth }) {
    const { gl } = this, made = gl.createTexture(), filter = smooth ? gl.LINEAR : gl.NEAREST;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.REPEAT);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return made;
  }

  /** Levels in β (rows) and α as a picture that `paint` takes. */
  picture(levels, [rows, columns], holes = false) {
    if (!this.gl) return { rows, columns };
    const { gl } = this, texture = this.texture({ smooth: !holes });
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, columns, rows, 0, gl.RED, gl.UNSIGNED_BYTE, levels);
    return { texture, rows, columns };
  }

  drop(picture) {
    if (picture?.texture) this.gl.deleteTexture(picture.texture);
  }

  fit(width, height) { Object.assign(this.canvas, { width, height }); }

  /** Draw a sphere, turned, into a square of the canvas. */
  paint(picture, { x, y, side }, turned, line, grid) {
    const { gl, canvas, places } = this;
    if (!gl) return;
    gl.viewport(x, canvas.height - y - side, side, side);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, picture.texture);
    // WebGL reads columns, so it sees the transpose: the inverse turn, from the eye to the signal.
    gl.uniformMatrix3fv(places.turned, false, turned);
    gl.uniform1f(places.halfPixel, 0.5 / picture.columns);
    gl.uniform1f(places.line, 0.25 + 0.5 * line);
    gl.uniform1f(places.pixel, 2 / side);
    gl.uniform1f(places.grid, grid);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  close() {
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** Where everything stands, for a canvas of a given width. */
function arrange(width) {
  const narrow = width < 620, gap = 16;
  const disc = Math.floor(narrow ? Math.min(220, (width - 3 * gap) / 2)
                                 : Math.min(300, (width - 4 * gap) / 3));
  const head = 34, row = disc + head + 10;
  const places = [0, 1, 2].map((n) => narrow
    ? { x: n ? gap + (n - 1) * (disc + gap) : gap, y: head + (n ? row : 0) }
    : { x: gap + n * (disc + gap), y: head });
  return { width, disc, places, narrow, height: narrow ? 2 * row : row };
}

class View extends CanvasView {
  constructor(context) {
    super(context, "equivlab-sphere");
    const { state } = this;
    this.glasses = [0, 1].map(() => element("canvas", { className: "glass" }));
    this.painters = this.glasses.map((glass) => new Painter(glass, bytes(state.get("_colours"))));
    const globes = bytes(state.get("_globes")), [rows, columns] = this.spec.globe;
    this.globes = this.spec.names.map((_, n) => {
      const levels = globes.subarray(n * rows * columns, (n + 1) * rows * columns);
      return this.painters[0].picture(levels, this.spec.globe, levels.includes(255));
    });
    this.me = Math.random().toString(36).slice(2);
    this.answers = { levels: bytes(state.get("_features")), error: 0, ms: 0 };
    this.settled = this.question(); // what the features on show belong to
    this.settled.signal = 0;
    this.settled.rotation = IDENTITY;
    this.asked = this.answered = 0;
    this.drawn = []; // what each sphere shows
    this.build();
    this.ask();
  }

  // --- the state -------------------------------------------------------------------------

  get rotation() { return this.state.get("rotation"); }
  get signal() { return this.state.get("signal"); }
  get channel() { return Math.min(this.state.get("channel"), this.spec.channels.length - 1); }
  get gamma() { return Math.min(this.state.get("gamma"), this.spec.steps - 1); }

  /** Turn further, in the reader's frame. */
  turn(by, from = this.rotation) { this.set({ rotation: cleaned(multiply(by, from)) }); }

  reset() { this.set({ rotation: IDENTITY }); }

  // --- the kernel: one question on its way, the latest pose next --------------------------------

  question() { return { signal: this.signal, rotation: [...this.rotation] }; }

  same(a, b) { return a.signal === b.signal && a.rotation.every((v, n) => v === b.rotation[n]); }

  ask() {
    if (this.pending || this.same(this.question(), this.settled)) return;
    this.pending = { ...this.question(), id: `${this.me}:${++this.asked}`, began: performance.now() };
    const { id, signal, rotation } = this.pending;
    this.state.send({ kind: "turn", id, signal, rotation });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.silent = true; // no kernel: keep the question open, a late answer still counts
      this.redraw();
    }, PATIENCE);
  }

  hear(answer, buffers) {
    if (answer?.kind !== "features" || answer.id !== this.pending?.id) return;
    clearTimeout(this.waiting);
    this.silent = false;
    const { signal, rotation, began } = this.pending;
    this.pending = undefined;
    this.answered += 1;
    this.settled = { signal, rotation };
    this.problem = answer.problem;
    if (!answer.problem) {
      const [levels] = buffers;
      const view = levels instanceof ArrayBuffer ? new DataView(levels) : levels;
      this.answers = { levels: bytes(view), error: answer.error, ms: answer.ms,
                       wait: performance.now() - began };
      this.stale = true;
    }
    this.redraw();
    this.ask();
  }

  // --- the features as pictures -----------------------------------------------------------

  /** One γ, or the largest over γ, of the channel on show: [as they come out, turned back]. */
  features() {
    const { steps, side, channels } = this.spec, area = side[0] * side[1];
    const choice = `${this.channel} ${this.gamma}`;
    if (!this.stale && this.choice === choice) return this.maps;
    this.maps?.forEach((map) => this.painters[1].drop(map));
    this.maps = [0, 1].map((view) => {
      const from = (view * channels.length + this.channel) * steps * area;
      const first = from + Math.max(0, this.gamma) * area;
      const shown = this.answers.levels.slice(first, first + area);
      if (this.gamma < 0) {
        for (let k = 1; k < steps; k++) {
          const start = from + k * area;
          for (let p = 0; p < area; p++) {
            if (this.answers.levels[start + p] > shown[p]) shown[p] = this.answers.levels[start + p];
          }
        }
      }
      return this.painters[1].picture(shown, side);
    });
    this.stale = false;
    this.choice = choice;
    return this.maps;
  }

  // --- the controls ----------------------------------------------------------------------

  build() {
    const { spec } = this;
    this.canvas = element("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "globe");
    this.canvas.setAttribute("aria-label", "A globe. Arrow keys turn it, comma and period roll it.");
    const bar = element("div", { className: "bar" });
    const choose = (name, words, options, values) => {
      const select = element("select", { title: words });
      select.setAttribute("aria-label", words);
      select.append(...options.map((text, n) => element("option", { textContent: text, value: values[n] })));
      select.addEventListener("change", () => this.set({ [name]: Number(select.value) }));
      bar.append(element("label", {}, `${words} `, select));
      return select;
    };
    const counted = (list) => list.map((_, n) => n);
    this.selects = { signal: choose("signal", "Signal", spec.names, counted(spec.names)) };
    if (spec.channels.length > 1) {
      const names = spec.channels.map((c) => `${c}`);
      this.selects.channel = choose("channel", "Channel", names, counted(names));
    }
    if (spec.steps > 1) {
      const angles = counted(Array(spec.steps).fill()).map((k) => `${Math.round((360 * k) / spec.steps)}°`);
      this.selects.gamma = choose("gamma", "γ", ["maximum", ...angles], [-1, ...counted(angles)]);
    }
    bar.append(
      this.button("Reset", "Back to the first pose (r)", () => this.reset()),
      this.button("PNG", "Save this picture", () => this.save()),
    );
    this.spoken = element("div", { className: "spoken" });
    this.spoken.setAttribute("role", "status");
    const pane = element("div", { className: "pane" }, ...this.glasses, this.canvas);
    this.line = element("div", { className: "line" });
    this.line.append(...["error", "", "quiet", "quiet"].map((className) => element("span", { className })));
    this.line.setAttribute("aria-hidden", "true"); // changes at each frame; `spoken` waits for rest
    this.el.append(element("style", { textContent: STYLE }), bar, pane, this.line, this.spoken);
    this.listen();
  }

  listen() {
    super.listen();
    this.onState("msg:custom", (answer, buffers) => this.hear(answer, buffers));
    for (const name of ["rotation", "signal", "channel", "gamma"]) {
      this.onState(`change:${name}`, () => {
        this.redraw();
        this.ask();
      });
    }
  }

  key(event) {
    const by = (event.shiftKey ? 45 : 5) * DEGREES;
    const up = [0, 0, 1], right = [0, 1, 0], toward = [1, 0, 0];
    this.actOn(event, {
      ArrowRight: () => this.turn(about(up, by)), ArrowLeft: () => this.turn(about(up, -by)),
      ArrowUp: () => this.turn(about(right, -by)), ArrowDown: () => this.turn(about(right, by)),
      ",": () => this.turn(about(toward, by)), ".": () => this.turn(about(toward, -by)),
      "<": () => this.turn(about(toward, by)), ">": () => this.turn(about(toward, -by)),
      r: () => this.reset(), Home: () => this.reset(),
      g: () => this.spec.steps > 1
        && this.set({ gamma: this.gamma + 1 < this.spec.steps ? this.gamma + 1 : -1 }),
    });
  }

  // --- the hand on the globe -----------------------------------------------------------------

  /** The point of the sphere under the pointer; outside the disc, the nearest on its rim. */
  under(event) {
    const box = this.canvas.getBoundingClientRect(), { disc, places } = this.layout;
    let right = (2 * (event.clientX - box.left - places[0].x)) / disc - 1;
    let up = 1 - (2 * (event.clientY - box.top - places[0].y)) / disc;
    const distance = Math.hypot(right, up);
    if (distance > 1) [right, up] = [right / distance, up / distance];
    return { point: [Math.sqrt(Math.max(0, 1 - right * right - up * up)), right, up], distance };
  }

  grab(event) {
    const { point, distance } = this.under(event);
    if (distance > 1.08) return;
    this.held = { point, rotation: this.rotation };
    this.hold(event);
  }

  drag(event) {
    if (!this.held) return;
    this.turn(fromTo(this.held.point, this.under(event).point), this.held.rotation);
  }

  drop() { this.held = undefined; }

  // --- the drawing -----------------------------------------------------------------------

  fitted() {
    this.fitGlasses();
    this.drawn = [];
    this.ringed = false;
  }

  /** Put each WebGL canvas under its rings; `offset` is where the second features begin in it. */
  fitGlasses() {
    const { disc, places: [globe, out, back] } = this.layout, side = Math.round(disc * this.scale);
    this.offset = Math.round((back.x - out.x) * this.scale);
    [[globe, side], [out, this.offset + side]].forEach(([{ x, y }, width], n) => {
      this.painters[n].fit(width, side);
      Object.assign(this.glasses[n].style, {
        left: `${x}px`, top: `${y}px`, width: `${width / this.scale}px`, height: `${disc}px`,
      });
    });
  }

  draw() {
    if (!this.fitTo(980, arrange, [this.canvas])) return;
    const [out, back] = this.features();
    this.drawSphere(0, this.globes[this.signal], this.rotation, 0, 1);
    this.drawSphere(1, out, IDENTITY, 1, 0);
    this.drawSphere(2, back, IDENTITY, 1, 0);
    if (!this.ringed) this.drawRings();
    this.tell();
  }

  /** Draw one sphere if it is not there already. */
  drawSphere(n, picture, turned, line, grid) {
    const before = this.drawn[n];
    if (before?.picture === picture && before.turned === turned) return;
    const side = Math.round(this.layout.disc * this.scale);
    const box = { x: n === 2 ? this.offset : 0, y: 0, side };
    this.painters[Math.min(n, 1)].paint(picture, box, turned, line, grid);
    this.drawn[n] = { picture, turned };
  }

  drawRings() {
    this.ringed = true;
    const { disc, places, narrow } = this.layout, pen = this.pen();
    const layer = this.spec.layer ? `of layer ${this.spec.layer}, ` : "";
    const titles = ["input: grab it and turn it",
                    narrow ? "features" : `features ${layer}as they come out`,
                    narrow ? "turned back" : "features, turned back"];
    titles.forEach((title, n) => {
      const { x, y } = places[n];
      this.text(pen, title, x + disc / 2, y - 24, { font: BOLD, align: "center", most: disc });
      pen.strokeStyle = BASE;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.arc(x + disc / 2, y + disc / 2, disc / 2 - 0.5, 0, 2 * Math.PI);
      pen.stroke();
    });
  }

  /** The number, and how the features keep up. */
  words() {
    const error = this.answers.error;
    const number = error < 1e-5 ? "0 (exact)" : Number(error.toPrecision(2)).toString();
    const drawing = this.painters.every(({ gl }) => gl && !gl.isContextLost());
    const state = !drawing ? "spheres need WebGL 2, which this page has not (any more)"
      : this.problem ? `the kernel says: ${this.problem}`
      : this.silent ? "no answer yet: features need a running kernel"
      : this.answers.wait === undefined ? ""
      : `features after ${Math.round(this.answers.wait)} ms`;
    return [`relative error: ${number}`, `turned by ${Math.round(angleOf(this.rotation))}°`,
            "features: red above zero, blue below", state];
  }

  /** The number in words for a screen reader, at rest; counts for tests and benchmarks. */
  tell() {
    this.painted += 1;
    Object.assign(this.canvas.dataset, {
      painted: this.painted, asked: this.asked, answered: this.answered,
      error: this.answers.error, wait: this.answers.wait ?? "", silent: Boolean(this.silent),
      settled: this.same(this.question(), this.settled), angle: angleOf(this.rotation).toFixed(3),
      places: JSON.stringify({ disc: this.layout.disc, places: this.layout.places }),
    });
    this.words().forEach((words, n) => {
      if (this.line.children[n].textContent !== words) this.line.children[n].textContent = words;
    });
    this.line.lastChild.classList.toggle("trouble", Boolean(this.problem || this.silent));
    for (const [name, select] of Object.entries(this.selects)) select.value = this[name];
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      this.spoken.textContent = this.words().slice(0, 2).join(", ");
    }, 500);
  }

  /** Save the spheres, and the words below them. */
  save() {
    this.saveAs(this.spec.names[this.signal], (pen) => {
      this.glasses.forEach((glass, n) => {
        const { x, y } = this.layout.places[n];
        pen.drawImage(glass, Math.round(x * this.scale), Math.round(y * this.scale));
      });
      pen.drawImage(this.canvas, 0, 0);
      pen.scale(this.scale, this.scale);
      const words = this.words().slice(0, 2).join(",  ");
      this.text(pen, words, 16, this.layout.height + 4, { font: BOLD });
    }, 30 * this.scale);
  }

  close() {
    super.close();
    for (const timer of [this.waiting, this.speaking]) clearTimeout(timer);
    this.painters.forEach((painter) => painter.close());
  }
}

const STYLE = `
.equivlab-sphere .bar { gap: 12px; }
.equivlab-sphere option { color: CanvasText; background: Canvas; }
.equivlab-sphere .pane { position: relative; }
.equivlab-sphere .line { display: flex; flex-wrap: wrap; gap: 4px 28px; padding: 8px 16px 4px; font: ${FONT};
  align-items: baseline; font-variant-numeric: tabular-nums; min-height: 20px; }
.equivlab-sphere .error { font: ${BOLD}; color: ${MODEL}; }
.equivlab-sphere .quiet { font: ${SMALL}; opacity: 0.75; }
.equivlab-sphere .quiet.trouble { color: ${MODEL}; opacity: 1; }
.equivlab-sphere .glass { position: absolute; pointer-events: none; }
.equivlab-sphere canvas[tabindex] { position: relative; }
.equivlab-sphere .spoken { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
`;

export default page(View);
