// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { IDENTITY } from "../../../equivlab/widgets/globe/rotations.js";
import {
  arrangeSquareSpheres,
  levelsAtRest,
  levelsOff,
} from "../../../equivlab/widgets/globe/square.js";

test("what differs is white where nothing does, and keeps within the colours", () => {
  const off = levelsOff(Uint8Array.from([127, 200, 254, 0]), Uint8Array.from([127, 100, 0, 254]));
  assert.deepEqual([...off], [127, 227, 254, 0]);
});

test("the square stands inside the page at every width, and no sphere on another", () => {
  for (const width of [320, 360, 619, 768, 980]) {
    for (const views of [1, 2]) {
      const { places, disc, panes, height } = arrangeSquareSpheres(width, views);
      assert.equal(panes.length, views + 1);
      assert.equal(places.length, 6 + 3 * (views - 1));
      places.forEach(({ x, y }, n) => {
        assert.ok(x >= 0 && x + disc <= width && y > 20 && y + disc <= height);
        for (const other of places.slice(0, n)) {
          assert.ok(Math.abs(other.x - x) >= disc || Math.abs(other.y - y) > disc + 20);
        }
      });
    }
  }
});

test("features at rest come with the page, or are remembered; others are not made up", () => {
  const turned = [0, -1, 0, 1, 0, 0, 0, 0, 1];
  const of = { signal: 0, channel: 5, rotation: turned };
  const view = { seen: { of, levels: ["turned"] }, recorded: { find: () => undefined } };
  assert.equal(levelsAtRest(view), undefined);
  view.seen = { of: { ...of, rotation: IDENTITY }, levels: ["rest"] };
  assert.deepEqual(levelsAtRest(view), ["rest"]);
  view.seen = { of, levels: ["turned"] };
  assert.deepEqual(levelsAtRest(view), ["rest"]);
  view.seen = { of: { ...of, channel: 6 }, levels: ["another"] };
  assert.equal(levelsAtRest(view), undefined);
});
