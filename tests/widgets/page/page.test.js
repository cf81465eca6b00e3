// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { errorWords, numbers, within } from "../../../equivlab/widgets/page/elements.js";
import { goesOn, keeps } from "../../../equivlab/widgets/page/keys.js";
import { inflated } from "../../../equivlab/widgets/page/packing.js";
import { HUES, huesFor, legible } from "../../../equivlab/widgets/page/palette.js";
import { inkOn, isLight } from "../../../equivlab/widgets/page/paper.js";
import { standIn, unpacked } from "../../../equivlab/widgets/page/stand_in.js";
import { frameOf, magnetic } from "../../../equivlab/widgets/page/turning_view.js";

const plain = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

test("only the browser's keys and the ways out go on to the notebook", () => {
  for (const key of ["m", "d", "r", "Enter", " ", "ArrowDown", "End", "PageDown", "x", "0"]) {
    assert.equal(goesOn({ ...plain, key }), false, key);
  }
  for (const key of ["Tab", "Escape"]) assert.ok(goesOn({ ...plain, key }));
  assert.ok(goesOn({ ...plain, key: "Enter", shiftKey: true }));
  assert.ok(goesOn({ ...plain, key: "s", ctrlKey: true }));
});

test("buttons keep what presses them, menus keep all, sliders leave the widget its keys", () => {
  const button = { tagName: "BUTTON" };
  assert.deepEqual(
    ["Enter", " ", "m"].map((key) => keeps(button, key)),
    [true, true, false],
  );
  assert.ok(keeps({ tagName: "SELECT" }, "d"));
  assert.equal(keeps({ tagName: "INPUT", type: "range" }, "ArrowRight"), false);
  assert.equal(keeps({ tagName: "CANVAS" }, " "), false);
});

test("every angle has a frame", () => {
  for (const [angle, frame] of [
    [0, 0],
    [47, 9],
    [-5, 71],
    [725, 1],
    [359, 0],
    [-360, 0],
    [Number.NaN, 0],
    [Infinity, 0],
  ]) {
    assert.equal(frameOf(angle, 72), frame);
  }
});

test("a hand near a quarter turn means it", () => {
  const pulled = (/** @type {number[]} */ angles, turns = 4) =>
    angles.map((a) => magnetic(a, turns));
  assert.deepEqual(pulled([88, 92.4, 93, -1, 47, 359]), [90, 90, 93, -0, 47, 360]);
  assert.deepEqual(pulled([58, 90, 121], 6), [60, 90, 120]);
  assert.deepEqual(pulled([47, 67.6], 16), [45, 67.5]);
});

test("numbers in words", () => {
  assert.equal(errorWords(3e-7), "0 (exact)");
  assert.equal(errorWords(0.1234), "0.12");
  assert.equal(errorWords(undefined), "–");
  assert.equal(errorWords(Number.NaN), "–");
  assert.deepEqual(numbers([1, null]), [1, Infinity]);
  assert.deepEqual(
    [-1, 2, 9, Number.NaN].map((n) => within(n, 3)),
    [0, 2, 2, 0],
  );
});

test("words keep the ink of their place unless what is behind them hides it", () => {
  assert.ok(isLight("rgb(240, 240, 240)"));
  assert.ok(!isLight("rgba(0, 0, 0, 0.87)"));
  for (const [given, paper, dark, wanted] of /** @type {const} */ ([
    ["rgba(0, 0, 0, 0.87)", "rgb(255, 255, 255)", false, "rgba(0, 0, 0, 0.87)"],
    ["rgb(204, 204, 204)", "rgb(255, 255, 255)", true, "rgb(0, 0, 0)"],
    ["rgb(0, 0, 0)", "rgb(56, 56, 56)", false, "rgb(255, 255, 255)"],
    ["rgb(0, 0, 0)", undefined, true, "rgb(255, 255, 255)"],
    ["rgb(204, 204, 204)", undefined, true, "rgb(204, 204, 204)"],
    ["rgb(255, 255, 255)", undefined, false, "rgb(255, 255, 255)"],
  ])) {
    assert.equal(inkOn(given, paper, dark), wanted, `${given} on ${paper}`);
  }
});

/** The contrast of WCAG between two colours #rrggbb. @param {string} a @param {string} b */
function contrast(a, b) {
  const [light, dark] = [a, b]
    .map((hue) =>
      [1, 3, 5]
        .map((at) => Number.parseInt(hue.slice(at, at + 2), 16) / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, n) => sum + [0.2126, 0.7152, 0.0722][n] * v, 0),
    )
    .sort((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

test("colours can be read on their pages", () => {
  assert.equal(huesFor("rgb(34, 34, 34)"), HUES.light);
  assert.equal(huesFor("rgba(255, 255, 255, 0.87)"), HUES.dark);
  for (const [hues, paper, least] of /** @type {const} */ ([
    [HUES.light, "#ffffff", 3.8],
    [HUES.dark, "#111111", 4.5],
  ])) {
    for (const hue of [hues.base, ...hues.equivariant, ...hues.plain]) {
      assert.ok(contrast(hue, paper) > least, `${hue} on ${paper}: ${contrast(hue, paper)}`);
    }
  }
});

test("packed bytes come back, differences from the byte before and from the row before", async () => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => (i * i * 7) % 256);
  const lags = [1, 9];
  const packed = lags.reduce(
    (all, lag) => all.map((value, i) => value - (i < lag ? 0 : all[i - lag])),
    bytes,
  );
  const data = deflateSync(packed).toString("base64");
  const plain = Buffer.from([5]).toString("base64");
  const found = await inflated([
    { path: ["a"], data, lags },
    { path: ["b"], data: plain },
  ]);
  const values = unpacked({}, found);
  assert.deepEqual(new Uint8Array(values.a.buffer), bytes);
  assert.equal(values.b.getUint8(0), 5);
});

test("frames come back that others foretell: a quarter turn on, and mirrored", async () => {
  const shape = [1, 2, 4, 1, 2, 2, 2]; // 8 frames of two orientations, 2×2 pixels each
  const turns = { shape, quarter: [1, 0], mirror: [0, 1] };
  const left = new Uint8Array(64);
  left.set([1, 2, 3, 4, 5, 6, 7, 8]); // the first frame; all others are as foretold, but for one
  left[8] = 10;
  const data = deflateSync(left).toString("base64");
  const [{ raw }] = await inflated([{ path: ["a"], data, lags: [], turns }]);
  const frame = (/** @type {number} */ n) => [.../** @type {any} */ (raw).slice(8 * n, 8 * n + 8)];
  assert.deepEqual(frame(1), [6 + 10, 8, 5, 7, 2, 4, 1, 3]); // the other's, counter-clockwise
  assert.deepEqual(frame(4), [2, 1, 4, 3, 6, 5, 8, 7]); // a mirror of the first
  assert.deepEqual(frame(5).slice(0, 2), frame(3).slice(0, 2).reverse()); // by −90°, then mirrored
});

test("the stand-in keeps values, tells of changes, and says that it has no kernel", async () => {
  const data = Buffer.from([1, 2, 3]).toString("base64");
  const values = unpacked({ angle: 0, deep: [{}] }, [{ path: ["deep", 0, "raw"], data }]);
  assert.equal(new Uint8Array(/** @type {any} */ (values.deep)[0].raw.buffer)[2], 3);
  const { model, experimental } = standIn(values);
  let told = 0;
  const act = () => {
    told += 1;
  };
  model.on("change:angle", act);
  model.set("angle", 5);
  model.off("change:angle", act);
  model.set("angle", 6);
  assert.deepEqual([model.get("angle"), told], [6, 1]);
  assert.equal(experimental.invoke, undefined);
});

test("words in any hue can be read on their page", () => {
  const light = (/** @type {string} */ hue) => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(hue.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; // WCAG 2
  };
  const all = (/** @type {import("../../../equivlab/widgets/page/palette.js").Hues} */ hues) =>
    [hues.base, ...hues.equivariant, ...hues.plain].map(legible);
  for (const hue of all(HUES.light)) assert.ok(1.05 / (light(hue) + 0.05) >= 4.5, hue);
  const paper = light("#121212") + 0.05;
  for (const hue of all(HUES.dark)) assert.ok((light(hue) + 0.05) / paper >= 4.5, hue);
});
