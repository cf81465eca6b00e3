// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { allowed, handlesOf, moved, under } from "../../../equivlab/widgets/lens/handles.js";
import { arrangeLens, inSky, onCanvas, turned } from "../../../equivlab/widgets/lens/layout.js";
import { RecordedSky } from "../../../equivlab/widgets/lens/recorded.js";
import { changeWords, swings, valueWords } from "../../../equivlab/widgets/lens/words.js";

/** @type {import("../../../equivlab/widgets/lens/handles.js").Limits} */
const LIMITS = { source_x: [-1.5, 1.5, 0.05], angle_deg: [0, 360, 5], clump_mass: [7, 11, 0.1] };
const POSE = { source_x: 0.2, source_y: 0.1, lens_x: 0.3, lens_y: -0.2, theta_e: 1.2 };
const ROUND = { ...POSE, ellipticity: 0.1, axis_deg: 30, clump_mass: 7, clump_x: 1, clump_y: 0 };

test("numbers keep to their limits, angles begin anew", () => {
  assert.equal(allowed(LIMITS, "source_x", 9), 1.5);
  assert.equal(allowed(LIMITS, "angle_deg", -5), 355);
  assert.equal(allowed(LIMITS, "angle_deg", 725), 5);
  assert.equal(allowed(LIMITS, "source_x", Number.NaN), -1.5);
  assert.ok(Object.is(allowed(LIMITS, "source_x", -1e-9), 0));
});

test("a handle that is put where it stands changes nothing", () => {
  const handles = handlesOf({ ...ROUND, clump_mass: 9 }, LIMITS);
  assert.deepEqual(Object.keys(handles), ["source", "lens", "axis", "clump"]);
  for (const [name, at] of Object.entries(handles)) {
    for (const [number, value] of Object.entries(moved(name, at, ROUND))) {
      assert.ok(Math.abs(value - /** @type {any} */ (ROUND)[number]) < 1e-9, number);
    }
  }
  assert.equal(handlesOf(ROUND, LIMITS).clump, undefined);
});

test("the nearest handle is taken, or none", () => {
  const places = { source: { x: 0, y: 0 }, lens: { x: 10, y: 0 } };
  assert.equal(under(places, { x: 6, y: 0 }), "lens");
  assert.equal(under(places, { x: 4, y: 3 }), "source");
  assert.equal(under(places, { x: 40, y: 0 }), undefined);
});

test("arc seconds and pixels, up is up, and turns are counter-clockwise", () => {
  const plane = { x: 8, y: 30, side: 200, half: 2 };
  const at = onCanvas(plane, { x: 1, y: 1 });
  assert.deepEqual(at, { x: 158, y: 80 });
  assert.deepEqual(inSky(plane, at), { x: 1, y: 1 });
  const { x, y } = turned({ x: 1, y: 0 }, Math.PI / 2);
  assert.ok(Math.abs(x) < 1e-12 && Math.abs(y - 1) < 1e-12);
});

test("everything stands inside the page at every width", () => {
  for (const width of [320, 360, 719, 720, 1040]) {
    for (const networks of [0, 1, 2]) {
      const { sky, behind, bars, curve, numbers, height } = arrangeLens(width, 3, 3, networks);
      assert.ok(sky.x + sky.side <= width && behind.x + behind.side < bars.x);
      assert.ok(bars.width > 100 && bars.x + bars.width <= width);
      assert.ok(numbers.y + 40 <= height && sky.y + sky.side <= height);
      if (networks) assert.ok(curve.x + curve.width <= width && curve.y + 100 <= height);
    }
  }
});

test("a recorded turn shows the nearest step with its own numbers", () => {
  const steps = 4;
  const spec = { kinds: ["a", "b"], steps, pixels: 1, rest: ROUND, lines: [2, 0, 4, 2] };
  const around = [[[0.1], [0.2], [0.3], [0.4]]];
  const recorded = [{ around, gain: 2 }, { around, gain: 3 }]; // biome-ignore format: two kinds
  const levels = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  const lines = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const sky = new RecordedSky({ ...spec, recorded }, levels, lines);
  const seen = sky.near({ ...ROUND, kind: "b", angle_deg: 200 });
  assert.deepEqual(seen.levels, Uint8Array.of(6));
  assert.deepEqual([seen.of.angle_deg, seen.of.kind, seen.gain], [180, "b", 3]);
  assert.deepEqual(seen.said, [[0.3]]);
  assert.deepEqual([...seen.critical, ...seen.caustics], [3, 4, 5, 6, 7, 8]);
  assert.equal(sky.near({ ...ROUND, kind: "nobody", angle_deg: 359 }).of.angle_deg, 0);
});

test("words", () => {
  assert.deepEqual(swings([0, 0.5, 0, 0.2, 0.1, 0, 0, 0]), { all: 0.5, quarters: 0.1 });
  assert.equal(changeWords(1e-7), "0");
  assert.equal(changeWords(0.02571), "2.6 %");
  assert.equal(valueWords("clump_mass", 7, "", 7), "none");
  assert.equal(valueWords("source_x", 0.125, "″", 7), "0.13″");
});
