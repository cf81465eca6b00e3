// What RotateShape needs to draw in space: rotations, and a scene in WebGL of voxels, balls,
// ellipsoids and arrows. It stands between canvas_view.js and rotate_shape.js in one module.

const ELEVATION = 20 * DEGREES; // of the eye
const EXTENT = 1.43; // half the width of a picture, in units of half the grid: the cage just fits
const DEPTH = 4; // what is nearer or farther than this is not drawn
const SHAPE = [0.56, 0.6, 0.66]; // colour of the input
const FULL = 76; // a voxel of this level (of 255) or more is drawn
const BALL = 15; // numbers for each ball: middle, three columns, colour
const FACE = [["spot", 3], ["facing", 3]];

// --- rotations: quaternions [w, x, y, z], matrices as nine numbers, rows first ----------------

const times = ([a, b, c, d], [e, f, g, h]) => [
  a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g,
  a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e,
];
const about = (axis, angle) => {
  const s = Math.sin(angle / 2);
  return [Math.cos(angle / 2), s * axis[0], s * axis[1], s * axis[2]];
};
const unit = (q) => {
  const length = Math.hypot(...q);
  return length > 0 ? q.map((v) => v / length) : [1, 0, 0, 0];
};
const matrix = ([w, x, y, z]) => [
  1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
  2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
  2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
];
const angleOf = (q) => (2 * Math.acos(Math.min(1, Math.abs(q[0])))) / DEGREES;
const same = (p, q) => Math.abs(p.reduce((sum, v, n) => sum + v * q[n], 0)) > 1 - 1e-9;
const flipped = (R) => [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];
const apply = (R, v) => [0, 3, 6].map((n) => R[n] * v[0] + R[n + 1] * v[1] + R[n + 2] * v[2]);
const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
];

/** The eye: rows are the screen's right, its up, and the way towards the eye. */
function eye(azimuth) {
  const right = [Math.cos(azimuth), Math.sin(azimuth), 0];
  const back = [
    Math.sin(azimuth) * Math.cos(ELEVATION), -Math.cos(azimuth) * Math.cos(ELEVATION),
    Math.sin(ELEVATION),
  ];
  return [...right, ...cross(back, right), ...back];
}

// --- WebGL ------------------------------------------------------------------------------------

const COMMON = `#version 300 es
  precision highp float;
  uniform mat3 eye;
  vec4 place(vec3 p) { return vec4(p.xy / ${EXTENT.toFixed(3)}, -p.z / ${DEPTH.toFixed(3)}, 1.0); }
`;
const LIGHT = `#version 300 es
  precision highp float;
  out vec4 ink;
  vec3 lit(vec3 colour, vec3 n) {
    float direct = max(0.0, dot(n, normalize(vec3(-0.35, 0.55, 0.76))));
    float shine = pow(max(0.0, dot(n, normalize(vec3(-0.18, 0.3, 0.93)))), 24.0);
    return colour * (0.38 + 0.66 * direct) + 0.10 * shine;
  }
`;

/** Ellipsoids, exact to the pixel: a square for each, and where the eye's ray meets it. */
const BALLS = [COMMON + `
  in vec2 corner;
  in vec3 middle, column0, column1, column2, colour;
  flat out mat3 back;
  flat out vec3 tint;
  out vec2 offset;
  out float deep;
  void main() {
    mat3 A = eye * mat3(column0, column1, column2);
    vec3 m = eye * middle;
    mat3 rows = transpose(A);
    offset = corner * vec2(length(rows[0]), length(rows[1])) * 1.04;
    back = inverse(A);
    tint = colour;
    deep = m.z;
    gl_Position = place(m + vec3(offset, 0.0));
  }`, LIGHT + `
  flat in mat3 back;
  flat in vec3 tint;
  in vec2 offset;
  in float deep;
  void main() {
    vec3 w = back[0] * offset.x + back[1] * offset.y;
    float a = dot(back[2], back[2]), b = dot(back[2], w), c = dot(w, w) - 1.0;
    float inside = b * b - a * c;
    float edge = inside / max(fwidth(inside), 1e-9);
    if (inside <= 0.0) discard;
    float z = (sqrt(inside) - b) / a;
    vec3 n = normalize((w + back[2] * z) * back);
    gl_FragDepth = 0.5 - (deep + z) / ${(2 * DEPTH).toFixed(3)};
    ink = vec4(lit(tint, n) * mix(0.55, 1.0, smoothstep(0.0, 0.45, n.z)), 1.0);
    ink *= clamp(edge, 0.0, 1.0);
  }`];

/** The faces of voxels and of arrows, turned, and lines. */
const FACES = [COMMON + `
  in vec3 spot, facing;
  uniform mat3 turn;
  out vec3 normal;
  void main() {
    normal = eye * (turn * facing);
    gl_Position = place(eye * (turn * spot));
  }`, LIGHT + `
  in vec3 normal;
  uniform vec3 tint;
  uniform float flatness;
  void main() { ink = vec4(flatness > 0.5 ? tint : lit(tint, normalize(normal)), 1.0); }`];

function program(gl, [vertex, fragment]) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(made));
  }
  return made;
}

/** Corners on the graphics card, how a program reads them ([attribute, size] in order), and which
 *  of them make triangles: `order` is that of one piece, repeated for each piece. (Instances would
 *  say the same, but browsers without a graphics card draw each instance by itself, slowly.) */
class Data {
  constructor(gl, layout, order = []) {
    Object.assign(this, { gl, layout, order, buffer: gl.createBuffer(), numbers: gl.createBuffer() });
    this.stride = layout.reduce((sum, [, size]) => sum + size, 0);
    this.corners = Math.max(0, ...order) + 1; // of one piece
    this.pieces = 0; // for which the order is written
  }

  set(values) {
    const { gl, order, corners } = this;
    this.count = values.length / this.stride;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const pieces = this.count / corners;
    if (order.length && pieces > this.pieces) {
      const all = new Uint32Array(pieces * order.length);
      for (let n = 0; n < all.length; n++) {
        const piece = Math.floor(n / order.length);
        all[n] = piece * corners + order[n - piece * order.length];
      }
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.numbers);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, all, gl.STATIC_DRAW);
      this.pieces = pieces;
    }
    return this;
  }

  draw(made, kind) {
    const { gl, order, corners, count } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    let offset = 0;
    for (const [name, size] of this.layout) {
      const at = gl.getAttribLocation(made, name);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 4 * this.stride, 4 * offset);
      offset += size;
    }
    if (!order.length) return gl.drawArrays(kind, 0, count);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.numbers);
    return gl.drawElements(kind, (count / corners) * order.length, gl.UNSIGNED_INT, 0);
  }
}

const EDGES = new Float32Array([0, 1, 2].flatMap((axis) =>
  [[-1, -1], [-1, 1], [1, -1], [1, 1]].flatMap((pair) =>
    [-1, 1].flatMap((end) => {
      const corner = [...pair];
      corner.splice(axis, 0, end);
      return [...corner, 0, 0, 0];
    }))));

/** One arrow: corners as [around x, around y, radius, kind], kind 0 foot, 1 neck, 2 brim, 3 tip, and
 *  the triangles between them. Few: a page may have no graphics card. */
function arrowMesh(sides = 5) {
  const rings = [[0.016, 0], [0.016, 1], [0.046, 2], [0, 3]];
  const corners = rings.flatMap(([radius, kind]) => Array.from({ length: sides }, (_, n) => {
    const angle = (2 * Math.PI * (n + 0.5 * (kind === 3))) / sides;
    return [Math.cos(angle), Math.sin(angle), radius, kind];
  }));
  const order = [];
  for (let n = 0; n < sides; n++) {
    const m = (n + 1) % sides;
    for (const ring of [0, 2]) { // the shaft, the head
      const [a, b, c, d] = [n, m, sides + n, sides + m].map((k) => ring * sides + k);
      order.push(a, b, c);
      if (ring === 0) order.push(c, b, d);
    }
    if (n > 0 && m > 0) order.push(2 * sides, 2 * sides + m, 2 * sides + n); // under the head
  }
  return { corners, order };
}

const ARROW_MESH = arrowMesh();

/** The corners of one arrow: six numbers each, spot and facing, into `out` from place `at` on. */
function putArrow(out, at, spot, along, length) {
  const across = cross(along, Math.abs(along[2]) < 0.8 ? [0, 0, 1] : [1, 0, 0]);
  const wide = Math.hypot(...across);
  const side = across.map((v) => v / wide), other = cross(along, side);
  const head = Math.min(0.11, 0.55 * length), thin = Math.min(1, length / 0.1);
  ARROW_MESH.corners.forEach(([x, y, radius, kind], n) => {
    const far = kind === 0 ? 0 : kind === 3 ? length : length - head;
    for (let k = 0; k < 3; k++) {
      const away = side[k] * x + other[k] * y;
      out[at + 6 * n + k] = spot[k] + along[k] * far + away * radius * thin;
      out[at + 6 * n + 3 + k] = away + (kind > 1 ? 0.4 * along[k] : 0);
    }
  });
}

/** Whether the browser draws WebGL without a graphics card: then smooth edges cost too much. */
function isSlow() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const known = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = known ? gl.getParameter(known.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** The outer faces of the filled voxels of a grid of bytes, axes z y x: spot and facing. */
function voxelFaces(grid, side) {
  const out = [], half = side / 2;
  const full = (x, y, z) => x >= 0 && y >= 0 && z >= 0 && x < side && y < side && z < side
    && grid[(z * side + y) * side + x] >= FULL;
  const corners = [[0, 0], [1, 0], [0, 1], [0, 1], [1, 0], [1, 1]];
  for (let z = 0; z < side; z++) for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    if (!full(x, y, z)) continue;
    for (let axis = 0; axis < 3; axis++) for (const way of [0, 1]) {
      const facing = [0, 0, 0];
      facing[axis] = 2 * way - 1;
      if (full(x + facing[0], y + facing[1], z + facing[2])) continue;
      for (const [a, b] of corners) {
        const [u, v] = way ? [a, b] : [b, a]; // counter-clockwise from outside
        const spot = [x, y, z];
        spot[axis] += way;
        spot[(axis + 1) % 3] += u;
        spot[(axis + 2) % 3] += v;
        out.push(...spot.map((value) => value / half - 1), ...facing);
      }
    }
  }
  return new Float32Array(out);
}

/** All that is on the graphics card; made again if the card was lost. */
class Scene {
  constructor(canvas, azimuth) {
    this.canvas = canvas;
    this.slow = isSlow();
    this.gl = canvas.getContext("webgl2", { alpha: true, antialias: !this.slow, depth: true });
    this.view = eye(azimuth);
    if (this.gl) this.setUp();
  }

  setUp() {
    const { gl } = this;
    const columns = [["column0", 3], ["column1", 3], ["column2", 3]];
    this.balls = program(gl, BALLS);
    this.faces = program(gl, FACES);
    this.ballData = new Data(gl, [["corner", 2], ["middle", 3], ...columns, ["colour", 3]],
      [0, 1, 2, 2, 1, 3]);
    this.edges = new Data(gl, FACE).set(EDGES);
    this.arrows = new Data(gl, FACE, ARROW_MESH.order);
    this.faceData = new Map();
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    gl.enable(gl.SCISSOR_TEST);
    if (!this.slow) gl.enable(gl.SAMPLE_ALPHA_TO_COVERAGE);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (this.slow) gl.enable(gl.BLEND);
  }

  clear() {
    const { gl, canvas } = this;
    gl.scissor(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  /** Draw into one square of the canvas: x, y of its upper left corner and its side, in pixels. */
  frame([x, y, side], scale) {
    const box = [x * scale, this.canvas.height - (y + side) * scale, side * scale, side * scale];
    this.gl.viewport(...box.map(Math.round));
    this.gl.scissor(...box.map(Math.round));
  }

  start(made) {
    const { gl } = this;
    gl.useProgram(made);
    gl.uniformMatrix3fv(gl.getUniformLocation(made, "eye"), true, this.view);
    return (name) => gl.getUniformLocation(made, name);
  }

  drawVoxels(key, values, turn) {
    const { gl, faceData } = this;
    if (!faceData.has(key)) faceData.set(key, new Data(gl, FACE).set(values()));
    this.drawFaces(faceData.get(key), turn, SHAPE, gl.TRIANGLES);
  }

  drawCage(turn, colour) { this.drawFaces(this.edges, turn, colour, this.gl.LINES); }

  drawFaces(data, turn, tint, kind) {
    const { gl } = this, at = this.start(this.faces);
    gl.uniformMatrix3fv(at("turn"), true, turn);
    gl.uniform3fv(at("tint"), tint);
    gl.uniform1f(at("flatness"), Number(kind === gl.LINES));
    data.draw(this.faces, kind);
  }

  /** Balls and ellipsoids: for each a middle, three columns of a matrix, and a colour. */
  drawBalls(values) {
    const count = values.length / BALL, out = new Float32Array(4 * count * (BALL + 2));
    for (let n = 0; n < 4 * count; n++) {
      const piece = n >> 2, at = n * (BALL + 2);
      out[at] = n & 1 ? 1 : -1;
      out[at + 1] = n & 2 ? 1 : -1;
      for (let k = 0; k < BALL; k++) out[at + 2 + k] = values[BALL * piece + k];
    }
    this.start(this.balls);
    this.ballData.set(out).draw(this.balls, this.gl.TRIANGLES);
  }

  drawArrows(corners, tint) {
    this.drawFaces(this.arrows.set(corners), matrix([1, 0, 0, 0]), tint, this.gl.TRIANGLES);
  }
}
