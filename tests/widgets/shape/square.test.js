// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, matrix, unit } from "../../../equivlab/widgets/shape/quaternions.js";
import { arrangeSquareShapes, differenceOf } from "../../../equivlab/widgets/shape/square.js";

test("features that turn as the law says differ by nothing", () => {
  const R = matrix(unit([0.7, 0.1, -0.5, 0.4]));
  const [v, u] = [
    [0.3, -0.2, 0.9],
    [0.1, 0.5, -0.7],
  ];
  const both = (/** @type {number[]} */ a) => [
    ...[0, 1, 2].map((k) => a[0] * a[k]),
    a[1] * a[1],
    a[1] * a[2],
    a[2] * a[2],
  ];
  const rest = Float32Array.from([0.4, ...v, ...both(u)]); // u uᵗ turns to (Ru)(Ru)ᵗ
  const now = Float32Array.from([0.4, ...apply(R, v), ...both(apply(R, u))]);
  for (const off of differenceOf(now, rest, R)) assert.ok(Math.abs(off) < 1e-6);
  const still = differenceOf(rest, rest, R);
  assert.ok(Math.max(...still.subarray(1, 4).map(Math.abs)) > 0.1);
  assert.ok(Math.max(...still.subarray(4).map(Math.abs)) > 0.1);
  assert.equal(still[0], 0);
});

test("the square stands inside the page at every width", () => {
  for (const width of [320, 360, 640, 980]) {
    for (const views of [1, 2]) {
      const { upright, input, nets, height } = arrangeSquareShapes(width, views);
      const boxes = [upright, input, ...nets.flatMap((one) => Object.values(one))];
      for (const [n, [x, y, side]] of boxes.entries()) {
        assert.ok(x >= 0 && x + side <= width && y + side <= height && side > 90);
        for (const [left, top] of boxes.slice(0, n)) {
          assert.ok(Math.abs(left - x) >= side || Math.abs(top - y) >= side);
        }
      }
    }
  }
});
