// @ts-check
// The scene of RotateShape in WebGL: voxels, balls, ellipsoids and arrows.

import { isSlow, linked } from "../page/webgl.js";
import { BALLS, Data, FACES } from "./card.js";
import { ARROW_MESH, EDGES, voxelFaces } from "./meshes.js";
import { apply, eye, matrix } from "./quaternions.js";

const SHAPE = [0.56, 0.6, 0.66]; // colour of the input
export const BALL = 15; // numbers for each ball: middle, three columns, colour
/** @type {[string, number][]} */
const FACE = [
  ["spot", 3],
  ["facing", 3],
];
/** @type {[string, number][]} */
const BALL_LAYOUT = [
  ["corner", 2],
  ["middle", 3],
  ["column0", 3],
  ["column1", 3],
  ["column2", 3],
  ["colour", 3],
];

/** What is on the graphics card; made again if the card was lost. */
class Things {
  /** @param {WebGL2RenderingContext} gl @param {boolean} slow */
  constructor(gl, slow) {
    this.balls = linked(gl, BALLS[0], BALLS[1]);
    this.faces = linked(gl, FACES[0], FACES[1]);
    this.ballData = new Data(gl, BALL_LAYOUT, [0, 1, 2, 2, 1, 3]);
    this.edges = new Data(gl, FACE).set(EDGES);
    this.arrows = new Data(gl, FACE, ARROW_MESH.order);
    /** @type {Map<number, Data>} */
    this.faceData = new Map();
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    gl.enable(gl.SCISSOR_TEST);
    gl.enable(slow ? gl.BLEND : gl.SAMPLE_ALPHA_TO_COVERAGE);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }
}

/** A canvas with squares in which shapes and features are drawn; nothing happens without WebGL. */
export class Scene {
  /** @param {HTMLCanvasElement} canvas @param {number} azimuth of the eye */
  constructor(canvas, azimuth) {
    this.canvas = canvas;
    this.slow = isSlow();
    const options = { alpha: true, antialias: !this.slow, depth: true };
    /** @type {WebGL2RenderingContext | null} */
    this.gl = /** @type {any} */ (canvas.getContext("webgl2", options));
    this.view = eye(azimuth);
    this.setUp();
  }

  setUp() {
    this.things = this.gl ? new Things(this.gl, this.slow) : undefined;
  }

  clear() {
    const { gl, canvas } = this;
    gl?.scissor(0, 0, canvas.width, canvas.height);
    gl?.clearColor(0, 0, 0, 0);
    gl?.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  /** Draw into one square of the canvas: x, y of its upper left corner and its side, in pixels.
   * @param {[number, number, number]} square
   * @param {number} scale
   */
  frame([x, y, side], scale) {
    const left = Math.round(x * scale);
    const bottom = Math.round(this.canvas.height - (y + side) * scale);
    const size = Math.round(side * scale);
    this.gl?.viewport(left, bottom, size, size);
    this.gl?.scissor(left, bottom, size, size);
  }

  /** The input: voxels, or points.
   * @param {{ kind: string, drawn: number[], counts: number[] }} spec
   * @param {number} shape
   * @param {Uint8Array} data of all shapes
   * @param {number[]} turn
   */
  drawInput({ kind, drawn, counts }, shape, data, turn) {
    const size = drawn[shape];
    const before = drawn.slice(0, shape);
    if (kind === "voxels") {
      const from = before.reduce((sum, side) => sum + side ** 3, 0);
      this.drawVoxels(shape, () => voxelFaces(data.subarray(from, from + size ** 3), size), turn);
      return;
    }
    const from = before.reduce((a, b) => a + b, 0);
    const spots = new Float32Array(data.slice(12 * from, 12 * (from + size)).buffer);
    const radius = Math.min(0.06, 0.5 / Math.cbrt(counts[shape] + size));
    const values = new Float32Array(size * BALL);
    for (let n = 0; n < size; n++) {
      values.set(apply(turn, spots.subarray(3 * n, 3 * n + 3)), BALL * n);
      values.set([radius, 0, 0, 0, radius, 0, 0, 0, radius, ...SHAPE], BALL * n + 3);
    }
    this.drawBalls(values);
  }

  /** @param {number} key @param {() => Float32Array} values @param {number[]} turn */
  drawVoxels(key, values, turn) {
    const { gl, things } = this;
    if (!gl || !things) return;
    const known = things.faceData.get(key) ?? new Data(gl, FACE).set(values());
    things.faceData.set(key, known);
    this.drawFaces(known, turn, SHAPE, gl.TRIANGLES);
  }

  /** The edges of a cube. @param {number[]} turn @param {number[]} colour */
  drawCage(turn, colour) {
    if (this.gl && this.things) this.drawFaces(this.things.edges, turn, colour, this.gl.LINES);
  }

  /** @param {Data} data @param {number[]} turn @param {number[]} tint @param {number} kind */
  drawFaces(data, turn, tint, kind) {
    const { gl, things } = this;
    if (!gl || !things) return;
    const at = this.start(gl, things.faces);
    gl.uniformMatrix3fv(at("turn"), true, turn);
    gl.uniform3fv(at("tint"), tint);
    gl.uniform1f(at("flatness"), Number(kind === gl.LINES));
    data.draw(things.faces, kind);
  }

  /** @param {WebGL2RenderingContext} gl @param {WebGLProgram} made */
  start(gl, made) {
    gl.useProgram(made);
    gl.uniformMatrix3fv(gl.getUniformLocation(made, "eye"), true, this.view);
    return (/** @type {string} */ name) => gl.getUniformLocation(made, name);
  }

  /** Balls and ellipsoids: for each a middle, three columns of a matrix, and a colour.
   * @param {Float32Array} values
   */
  drawBalls(values) {
    const { gl, things } = this;
    if (!gl || !things) return;
    const count = values.length / BALL;
    const out = new Float32Array(4 * count * (BALL + 2));
    for (let n = 0; n < 4 * count; n++) {
      const piece = n >> 2;
      const at = n * (BALL + 2);
      out[at] = n & 1 ? 1 : -1;
      out[at + 1] = n & 2 ? 1 : -1;
      for (let k = 0; k < BALL; k++) out[at + 2 + k] = values[BALL * piece + k];
    }
    this.start(gl, things.balls);
    things.ballData.set(out).draw(things.balls, gl.TRIANGLES);
  }

  /** @param {Float32Array} corners of whole arrows @param {number[]} tint */
  drawArrows(corners, tint) {
    const { gl, things } = this;
    if (!gl || !things) return;
    this.drawFaces(things.arrows.set(corners), matrix([1, 0, 0, 0]), tint, gl.TRIANGLES);
  }
}
