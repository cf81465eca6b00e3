// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  budgetHeight,
  budgetWords,
  drawBudget,
  partsOf,
} from "../../../equivlab/widgets/page/budget.js";

const row = { title: "P4", colour: "red", error: 0.25, interpolation: 0.14, grid: 0.081 };

test("parts add up to the error, and words say so", () => {
  const parts = partsOf(row);
  assert.ok(Math.abs(parts.reduce((a, b) => a + b, 0) - 0.25) < 1e-12);
  assert.equal(budgetWords(row), "0.25 = interpolation 0.14 + grid 0.081 + model 0.029");
  assert.equal(
    budgetWords({ ...row, grid: undefined }),
    "0.25 = interpolation 0.14 + grid and model 0.11",
  );
});

test("nothing is said of parts that nobody knows, and an exact network has none", () => {
  assert.deepEqual(partsOf({ ...row, interpolation: undefined }), []);
  assert.equal(budgetWords({ ...row, interpolation: undefined }), "0.25");
  assert.equal(budgetWords({ ...row, error: undefined }), "–");
  assert.equal(budgetWords({ ...row, error: Infinity, interpolation: 0 }), "Infinity");
  assert.equal(budgetWords({ ...row, error: 1e-7, interpolation: 0, grid: 0 }), "0 (exact)");
});

test("bars stand one after the other, as long as the error is, and never beyond their width", () => {
  /** @type {number[][]} */
  const boxes = [];
  const note = (/** @type {number[]} */ ...box) => boxes.push(box);
  const nothing = () => {};
  const pen = /** @type {any} */ ({
    fillRect: note,
    rect: note,
    measureText: (/** @type {string} */ words) => ({ width: 6 * words.length }),
    ...Object.fromEntries(
      ["save", "restore", "beginPath", "clip", "moveTo", "lineTo", "stroke"].map((name) => [
        name,
        nothing,
      ]),
    ),
  });
  const view = /** @type {any} */ ({ text: nothing, hues: { base: "grey" }, ink: "black" });
  const place = { x: 10, y: 0, width: 500, most: 0.5, at: "at 45°" };
  for (const [most, total] of [
    [0.5, 250],
    [0.1, 500],
  ]) {
    boxes.length = 0;
    drawBudget(view, pen, [row], { ...place, most });
    const [, , , track, ...parts] = boxes; // after the legend
    assert.deepEqual([track[0], track[2]], [10, 500]);
    const widths = parts.map((box) => box[2]);
    assert.ok(Math.abs(widths.reduce((a, b) => a + b, 0) - total) < 0.3);
    parts.slice(1).forEach(([x], n) => {
      assert.ok(Math.abs(x - parts[n][0] - parts[n][2]) < 1e-9);
    });
  }
  assert.ok(budgetHeight(360, 2) > budgetHeight(900, 2));
});
