// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { atGamma } from "../../../equivlab/widgets/globe/features.js";
import { arrangeSpheres } from "../../../equivlab/widgets/globe/layout.js";
import {
  about,
  angleOf,
  cleaned,
  fromTo,
  IDENTITY,
  multiply,
} from "../../../equivlab/widgets/globe/rotations.js";

/** @param {number[]} r @param {number[]} v */
const apply = (r, v) => [0, 3, 6].map((n) => r[n] * v[0] + r[n + 1] * v[1] + r[n + 2] * v[2]);
/** @param {number[]} a @param {number[]} b */
const close = (a, b) =>
  a.forEach((value, n) => {
    assert.ok(Math.abs(value - b[n]) < 1e-12, `${a} for ${b}`);
  });

test("a quarter turn about z takes x to y", () => {
  close(apply(about([0, 0, 1], Math.PI / 2), [1, 0, 0]), [0, 1, 0]);
});

test("fromTo takes one vector to another, by the shortest way", () => {
  const [a, b] = [
    [0.6, 0.8, 0],
    [0, 0.6, 0.8],
  ];
  const r = fromTo(a, b);
  close(apply(r, a), b);
  assert.ok(Math.abs(angleOf(r) - (Math.acos(0.48) * 180) / Math.PI) < 1e-9);
  assert.equal(fromTo(a, a), IDENTITY);
});

test("cleaned rows are orthonormal and of determinant 1", () => {
  const r = cleaned(about([0.6, 0, 0.8], 1).map((v, n) => v + 1e-3 * Math.sin(n)));
  const flipped = [0, 3, 6, 1, 4, 7, 2, 5, 8].map((n) => r[n]);
  close(multiply(r, flipped), IDENTITY);
  close([r[0] * (r[4] * r[8] - r[5] * r[7])], [r[0] * r[0]]); // the cofactor of a rotation
});

test("one γ, or the largest", () => {
  const levels = Uint8Array.from([9, 9, 1, 5, 3, 2, 8, 0]); // from 2 on: three γ of two pixels
  assert.deepEqual([...atGamma(levels, 2, 2, 3, 1)], [3, 2]);
  assert.deepEqual([...atGamma(levels, 2, 2, 3, -1)], [8, 5]);
});

test("spheres stand inside the page at every width", () => {
  for (const width of [320, 360, 500, 619, 620, 768, 980]) {
    const { disc, places } = arrangeSpheres(width);
    for (const { x } of places) assert.ok(x >= 0 && x + disc <= width, `${width}`);
  }
});
