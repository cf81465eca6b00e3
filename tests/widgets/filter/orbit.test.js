// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { arrangeOrbit } from "../../../equivlab/widgets/filter/layout.js";
import {
  act,
  correlate,
  largest,
  orbitOf,
  product,
  resampling,
  seenOf,
  square,
} from "../../../equivlab/widgets/filter/orbit.js";

test("a cross-correlation with zeros outside", () => {
  const image = Float32Array.from([1, 2, 3, 4]);
  const right = [0, 0, 0, 0, 0, 1, 0, 0, 0]; // takes the pixel to the right
  assert.deepEqual([...correlate(image, 2, right, 3)], [2, 0, 4, 0]);
  assert.deepEqual([...correlate(image, 2, [0, 0, 0, 0, 2, 0, 0, 0, 0], 3)], [2, 4, 6, 8]);
});

test("sums and largest sizes", () => {
  assert.equal(square([3, -4]), 25);
  assert.equal(largest([[1, -5], [2]]), 5);
  assert.equal(largest([[0]]), 1e-12);
});

const flip = Int32Array.from([8, 7, 6, 5, 4, 3, 2, 1, 0]);
const same = Int32Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8]);
const matrixOf = (/** @type {Int32Array} */ from) =>
  Float32Array.from({ length: 81 }, (_, n) => Number(from[Math.floor(n / 9)] === n % 9));
const squares = { hexagons: false, resamples: false };

test("under a group of two turns all maps keep the law, and one alone does not", () => {
  // Half turns: pixel p of three comes from 2 − p, in a line and in a filter of 1 × 1.
  const given = {
    weights: [0, 0, 0, 0, 0, 1, 0, 0, 0],
    image: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]),
    moves: [same, flip].map(matrixOf),
    pixels: { size: 3, places: [same, flip], turns: 2, ...squares, seen: seenOf(3, squares) },
    products: [
      [0, 1],
      [1, 0],
    ],
    side: 3,
  };
  const [all, alone] = orbitOf(given, 1).errors;
  assert.equal(all, 0);
  assert.ok(alone > 0.1);
  assert.deepEqual(orbitOf(given, 0).errors, [0, 0]);
});

test("a matrix times a column", () => {
  assert.deepEqual([...product([1, 2, 3, 4], [1, 10])], [21, 43]);
});

test("where no pixel comes from a place, the image is resampled, and that has its cost", () => {
  const size = 9;
  const nowhere = new Int32Array(81).fill(-1);
  const free = { hexagons: false, resamples: true };
  const seen = seenOf(size, free);
  assert.equal(seen[0], 0);
  assert.equal(seen[40], 1);
  const places = [0, 1, 2].map(() => nowhere);
  const pixels = { size, places, turns: 3, hexagons: false, seen };
  const image = Float32Array.from({ length: 81 }, (_, p) => seen[p] * ((7 * p) % 5));
  const smooth = Float32Array.from(seen, (one) => 3 * one);
  assert.ok(resampling(pixels, 1, 2, image) > 0.1);
  assert.ok(resampling(pixels, 1, 2, smooth) < resampling(pixels, 1, 2, image));
  const turned = act(pixels, 1, image);
  assert.ok(Math.abs(turned[40] - image[40]) < 1e-6); // the middle stays
});

test("hexagons have cells in six of the eight directions", () => {
  const seen = seenOf(5, { hexagons: true, resamples: false });
  assert.equal(square(seen), 19);
  assert.deepEqual([seen[0], seen[4], seen[12], seen[20], seen[24]], [0, 1, 1, 1, 0]);
});

test("copies and maps stand inside the page at every width", () => {
  for (const width of [320, 360, 619, 620, 768, 1100]) {
    for (const [elements, turns] of [
      [4, 4],
      [8, 4],
      [8, 8],
      [6, 6],
      [12, 6],
      [16, 16],
      [1, 1],
    ]) {
      const { left, columns, cell, top, block, height } = arrangeOrbit(width, elements, turns);
      assert.ok(left + columns * (cell + 8) <= width + 1e-6 && cell > 20);
      assert.ok(top + block * Math.ceil(elements / columns) <= height);
    }
  }
});
