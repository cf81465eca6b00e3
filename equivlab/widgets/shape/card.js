// @ts-check
// What RotateShape keeps on the graphics card: shaders and corners.

const EXTENT = 1.43; // half the width of a picture, in units of half the grid: the cage just fits
const DEPTH = 4; // what is nearer or farther than this is not drawn

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
export const BALLS = [
  COMMON +
    `
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
  }`,
  LIGHT +
    `
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
  }`,
];

/** The faces of voxels and of arrows, turned, and lines. */
export const FACES = [
  COMMON +
    `
  in vec3 spot, facing;
  uniform mat3 turn;
  out vec3 normal;
  void main() {
    normal = eye * (turn * facing);
    gl_Position = place(eye * (turn * spot));
  }`,
  LIGHT +
    `
  in vec3 normal;
  uniform vec3 tint;
  uniform float flatness;
  void main() { ink = vec4(flatness > 0.5 ? tint : lit(tint, normalize(normal)), 1.0); }`,
];

/** Corners on the graphics card, how a program reads them ([attribute, size] in order), and which
 *  of them make triangles: `order` is that of one piece, repeated for each piece. (Instances would
 *  say the same, but browsers without a graphics card draw each instance by itself, slowly.) */
export class Data {
  /**
   * @param {WebGL2RenderingContext} gl
   * @param {[string, number][]} layout
   * @param {number[]} order
   */
  constructor(gl, layout, order = []) {
    this.gl = gl;
    this.layout = layout;
    this.order = order;
    this.buffer = gl.createBuffer();
    this.numbers = gl.createBuffer();
    this.stride = layout.reduce((sum, [, size]) => sum + size, 0);
    this.corners = Math.max(0, ...order) + 1; // of one piece
    this.pieces = 0; // for which the order is written
    this.count = 0; // of corners
  }

  /** @param {Float32Array} values */
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

  /** @param {WebGLProgram} made @param {number} kind triangles or lines */
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
