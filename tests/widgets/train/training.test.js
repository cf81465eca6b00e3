// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { arrangeTraining, tileAt } from "../../../equivlab/widgets/train/layout.js";
import { Looks, ranged, ranges } from "../../../equivlab/widgets/train/looks.js";
import { buttonWords, lossAt, percent, phaseWords } from "../../../equivlab/widgets/train/words.js";

test("looks are found by their step, and the nearest before stands for those that are lost", () => {
  const looks = new Looks([1, 1, 1], [2, 1, 1, 1]);
  looks.keep(Uint8Array.of(1, 2, 3, 4, 5, 6), [0, 4]);
  looks.add(9, Uint8Array.of(7, 8, 9));
  looks.add(11, Uint8Array.of(7)); // half a message
  assert.deepEqual(
    [0, 3, 4, 8, 9, 20].map((step) => looks.nearest(step)),
    [0, 0, 4, 4, 9, 9],
  );
  assert.deepEqual(looks.pictures(4, "filters"), [Uint8Array.of(4)]);
  assert.deepEqual(looks.pictures(9, "maps"), [Uint8Array.of(8), Uint8Array.of(9)]);
  assert.deepEqual(looks.pictures(5, "maps"), []);
  assert.deepEqual(new Looks([0, 1, 1], [0, 1, 1, 1]).pictures(0, "maps"), []);
});

test("one range of colours for all looks", () => {
  const most = ranges([
    [0, null, null, 1, 4],
    [9, 1, 1, 2, 3],
  ]);
  assert.deepEqual(most, { filters: 2, maps: 4 });
  assert.equal(ranged(255, 1), 255);
  assert.equal(ranged(255, 0.5), 192);
  assert.equal(ranged(128, 0.5), 128);
});

test("everything stands inside the page at every width", () => {
  for (const width of [320, 360, 719, 720, 980]) {
    for (const maps of [
      [4, 8, 28, 28],
      [8, 1, 28, 28],
      [1, 1, 9, 9],
      [0, 1, 1, 1],
    ]) {
      const found = arrangeTraining(width, [8, 5, 5], maps);
      for (const [grid, count] of /** @type {[any, number][]} */ ([
        [found.filters, 8],
        [found.maps, maps[0] * maps[1]],
      ])) {
        for (let n = 0; n < count; n++) {
          const { x, y } = tileAt(grid, n);
          assert.ok(x >= 8 && x + grid.side <= width && y + grid.side <= found.height);
        }
        assert.ok(grid.side > 20);
      }
      const { loss, accuracy } = found;
      assert.ok(loss.x + loss.width <= width && loss.y + loss.height < accuracy.y - 20);
      assert.ok(accuracy.y + accuracy.height + 36 <= found.height);
    }
  }
});

test("words", () => {
  assert.equal(percent(null), "–");
  assert.equal(percent(0.5), "50.0 %");
  assert.equal(lossAt([[3, 2], [6, 1]], 4), 1); // biome-ignore format: points
  assert.equal(lossAt([], 4), undefined);
  const now = { phase: "paused", problem: "interrupted", silent: false, playing: false };
  assert.equal(phaseWords(now), "paused: interrupted");
  assert.equal(phaseWords({ ...now, silent: true }).startsWith("no kernel answers"), true);
  assert.equal(phaseWords({ ...now, phase: "done", problem: "" }), "trained to the end");
  assert.equal(buttonWords("paused", false, false), "Go on");
  assert.equal(buttonWords("done", true, false), "Play");
});
