// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { ellipsoid } from "../../../equivlab/widgets/shape/glyphs.js";
import { arrangeShapes } from "../../../equivlab/widgets/shape/layout.js";
import { voxelFaces } from "../../../equivlab/widgets/shape/meshes.js";
import {
  about,
  angleOf,
  apply,
  flipped,
  matrix,
  times,
  unit,
} from "../../../equivlab/widgets/shape/quaternions.js";
import { nearest, stepped } from "../../../equivlab/widgets/shape/recorded.js";

const DEGREES = Math.PI / 180;
/** @param {number[]} a @param {number[]} b */
const close = (a, b) =>
  a.forEach((value, n) => {
    assert.ok(Math.abs(value - b[n]) < 1e-12, `${a} for ${b}`);
  });

test("a quaternion, its matrix, its angle and its inverse", () => {
  const q = about([0, 0, 1], 90 * DEGREES);
  close(apply(matrix(q), [1, 0, 0]), [0, 1, 0]);
  close(apply(flipped(matrix(q)), [0, 1, 0]), [1, 0, 0]);
  assert.ok(Math.abs(angleOf(q) - 90) < 1e-9);
  const both = times(about([1, 0, 0], 30 * DEGREES), q);
  close(apply(matrix(both), [1, 0, 0]), apply(matrix(about([1, 0, 0], 30 * DEGREES)), [0, 1, 0]));
  for (const bad of [
    [0, 0, 0, 0],
    [Number.NaN, 0, 0, 1],
  ]) {
    assert.deepEqual(unit(bad), [1, 0, 0, 0]);
  }
});

test("the nearest pose is the nearest rotation, whatever the sign", () => {
  const poses = [0, 45, 90].map((angle) => about([0, 0, 1], angle * DEGREES));
  const q = about([0, 0, 1], 50 * DEGREES);
  assert.equal(nearest(poses, q), 1);
  assert.equal(
    nearest(
      poses,
      q.map((v) => -v),
    ),
    1,
  );
});

test("steps go round, tilts stop, and what is left of a step waits", () => {
  const spec = { turns: 8, poses: Array(24) };
  const slack = { z: 0, right: 0 };
  assert.equal(stepped(7, spec, "z", 45 * DEGREES, slack), 0);
  assert.equal(stepped(0, spec, "z", -45 * DEGREES, slack), 7);
  assert.equal(stepped(17, spec, "right", 90 * DEGREES, slack), 17);
  assert.equal(stepped(1, spec, "right", 45 * DEGREES, slack), 9);
  assert.equal(stepped(0, spec, "z", 30 * DEGREES, slack), 0);
  assert.equal(stepped(0, spec, "z", 20 * DEGREES, slack), 1);
});

test("a single voxel has six faces of two triangles", () => {
  const grid = new Uint8Array(27);
  grid[13] = 255;
  assert.equal(voxelFaces(grid, 3).length, 6 * 6 * 6);
  grid[14] = 255; // its neighbour hides one face of each
  assert.equal(voxelFaces(grid, 3).length, 10 * 6 * 6);
});

test("no feature makes a ball", () => {
  const still = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  close(ellipsoid([0, 0, 0, 0, 0, 0], still, 1), [1.15, 0, 0, 0, 1.15, 0, 0, 0, 1.15]);
});

test("pictures stand inside the page at every width, and none on another", () => {
  for (const width of [320, 420, 639, 640, 768, 980]) {
    for (const views of [1, 2]) {
      const { input, out, back, curve, height } = arrangeShapes(width, views);
      const squares = [input, ...out, ...back];
      for (const [x, y, side] of squares) {
        assert.ok(x >= 0 && x + side <= width, `${width}`);
        assert.ok(y >= 0 && y + side <= height);
      }
      assert.ok(curve.x + curve.width <= width && curve.y + curve.height < height);
      assert.ok(curve.width > 60 && curve.height >= 80);
    }
  }
});
