// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { arrangeTiles } from "../../../equivlab/widgets/accuracy/accuracy_vs_angle.js";

test("tiles stand inside the page at every width", () => {
  for (const width of [320, 420, 768, 1100]) {
    for (const images of [1, 7, 24]) {
      const { columns, cell, tile, curve, height } = arrangeTiles(width, images, 2);
      assert.ok(8 + columns * (cell + 14) <= width);
      assert.ok(34 + Math.ceil(images / columns) * tile <= curve);
      assert.ok(curve < height && cell > 40);
    }
  }
});
