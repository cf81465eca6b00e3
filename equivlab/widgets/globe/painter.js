// @ts-check
// The spheres of RotateSphere, in WebGL: each pixel of a square asks which direction it looks at.

import { drawnBySoftware, linked } from "../page/webgl.js";

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
  if (square >= 1.0) { colour = vec4(0.0); return; } // beside the sphere
  vec3 seen = vec3(sqrt(1.0 - square), at);
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

/**
 * @typedef {{ texture?: WebGLTexture, rows: number, columns: number }} Picture
 * @typedef {{ x: number, y: number, side: number }} Square
 */

/** One WebGL canvas, and the pictures and colours that it can draw on spheres. */
export class Painter {
  /** @param {HTMLCanvasElement} canvas @param {Uint8Array} colours two lines of 256 */
  constructor(canvas, colours) {
    this.canvas = canvas;
    this.fineness = 1; // pixels drawn for each pixel of the screen, a side
    const options = { antialias: false, depth: false, preserveDrawingBuffer: true };
    /** @type {Record<string, WebGLUniformLocation | null>} */
    this.places = {};
    /** @type {WebGL2RenderingContext | null} */
    this.gl = /** @type {any} */ (canvas.getContext("webgl2", options));
    const { gl } = this;
    this.slow = drawnBySoftware(gl);
    if (!gl) return; // the rings stay empty, and the words say why
    this.program = linked(gl, VERTEX, FRAGMENT);
    gl.useProgram(this.program);
    const square = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, square);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    for (const name of ["turned", "halfPixel", "line", "pixel", "grid", "picture", "colours"]) {
      this.places[name] = gl.getUniformLocation(this.program, name);
    }
    gl.uniform1i(this.places.picture, 0);
    gl.uniform1i(this.places.colours, 1);
    const table = this.texture(gl, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 2, 0, gl.RGB, gl.UNSIGNED_BYTE, colours);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, table);
  }

  /** @param {WebGL2RenderingContext} gl @param {boolean} smooth */
  texture(gl, smooth) {
    const made = gl.createTexture();
    const filter = smooth ? gl.LINEAR : gl.NEAREST;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.REPEAT);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return made;
  }

  /** Levels in β (rows) and α as a picture that `paint` takes.
   * @param {Uint8Array} levels
   * @param {number[]} size
   * @returns {Picture}
   */
  picture(levels, [rows, columns], holes = false) {
    const { gl } = this;
    if (!gl) return { rows, columns };
    const texture = this.texture(gl, !holes);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, columns, rows, 0, gl.RED, gl.UNSIGNED_BYTE, levels);
    return { texture, rows, columns };
  }

  /** @param {Picture} picture */
  drop({ texture }) {
    if (texture) this.gl?.deleteTexture(texture);
  }

  /** @param {number} width @param {number} height */
  fit(width, height, fineness = 1) {
    this.fineness = fineness;
    Object.assign(this.canvas, { width, height });
  }

  /** Whether it can draw. */
  get alive() {
    return this.gl !== null && !this.gl.isContextLost();
  }

  /** Draw a sphere, turned, into a square of the canvas.
   * @param {Picture} picture
   * @param {Square} square
   * @param {number[]} turned
   * @param {number} line of the colours
   * @param {number} grid 1 for the equator and a meridian
   */
  paint(picture, { x, y, side }, turned, line, grid) {
    const { gl, canvas, places } = this;
    if (!gl || !picture.texture) return;
    gl.viewport(x, canvas.height - y - side, side, side);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, picture.texture);
    // WebGL reads columns, so it sees the transpose: the inverse turn, from the eye to the signal.
    gl.uniformMatrix3fv(places.turned, false, turned);
    gl.uniform1f(places.halfPixel, 0.5 / picture.columns);
    gl.uniform1f(places.line, 0.25 + 0.5 * line);
    gl.uniform1f(places.pixel, (2 / side) * this.fineness);
    gl.uniform1f(places.grid, grid);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  close() {
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
