// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { cellAt, halfOf, rasterOf, turnedCells } from "../../../equivlab/widgets/page/cells.js";

const ROW = Math.sqrt(3) / 2;

test("a cell is found around its centre, and none outside the hexagon", () => {
  const radius = 2;
  for (let r = -radius; r <= radius; r++) {
    for (let q = -radius; q <= radius; q++) {
      const inside = Math.abs(q + r) <= radius;
      const place = (r + radius) * 5 + q + radius;
      for (const [x, y] of [
        [0, 0],
        [0.4, 0],
        [0, -0.5],
        [-0.2, 0.4],
      ]) {
        const found = cellAt(q + r / 2 + x, ROW * r + y, radius);
        if (inside) assert.equal(found, place);
        else assert.ok(x || y || found === -1);
      }
    }
  }
  assert.equal(cellAt(9, 0, radius), -1);
});

test("a picture of a hexagon shows the inscribed circle, each cell about equally", () => {
  const raster = rasterOf(7, 120);
  const counts = new Map();
  for (const place of raster) counts.set(place, (counts.get(place) ?? 0) + 1);
  const area = (120 / (2 * halfOf(3))) ** 2 * ROW;
  assert.ok(Math.abs(counts.get(3 * 7 + 3) - area) < 0.1 * area); // the middle one
  const middle = raster[60 * 120 + 60];
  assert.equal(middle, 24);
});

test("hexagons turn as numbers do: sixths exactly, a slope by its closed form", () => {
  const hexagon = Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7, 0]); // rings of radius 1
  const sixth = turnedCells(hexagon, 3, Math.PI / 3, false);
  // Counter-clockwise: the cell to the right goes up to the right.
  assert.deepEqual(
    [...sixth].map((value) => Math.round(1e4 * value) / 1e4),
    [0, 2, 5, 1, 4, 7, 3, 6, 0],
  );
  const mirrored = turnedCells(hexagon, 3, 0, true);
  assert.deepEqual([...mirrored], [0, 2, 1, 5, 4, 3, 7, 6, 0]);
  const size = 13;
  const at = (/** @type {number} */ p) => [(p % size) - 6, Math.floor(p / size) - 6];
  const slope = Float32Array.from({ length: size * size }, (_, p) => at(p)[0] + at(p)[1] / 2);
  const turn = 0.3;
  const found = turnedCells(slope, size, turn, false);
  for (const [q, r] of [
    [0, 0],
    [2, -1],
    [-1, 3],
  ]) {
    const wanted = Math.cos(turn) * (q + r / 2) - Math.sin(turn) * ROW * r; // y downwards
    assert.ok(Math.abs(found[(r + 6) * size + q + 6] - wanted) < 1e-5);
  }
});
