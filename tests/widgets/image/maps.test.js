// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { placesBefore } from "../../../equivlab/widgets/image/flight.js";
import {
  arrangeDial,
  arrangeMaps,
  placesOnDial,
  WIDEST,
} from "../../../equivlab/widgets/image/layout.js";
import { Maps } from "../../../equivlab/widgets/image/maps.js";
import { arrangeSquare, pathsOf } from "../../../equivlab/widgets/image/square.js";
import { turned } from "../../../equivlab/widgets/page/turned.js";

test("orientations are mixed back by the matrix of the frame", () => {
  const swap = [0, 1, 1, 0];
  const unturns = [[[1, 0, 0, 1], swap]];
  const spec = { orientations: 2, side: 1, unturns, kinds: [0], errors: [] };
  const maps = new Maps(Uint8Array.from([138, 118, 100, 150]), 2, spec); // frame, orientation
  const at = (/** @type {number} */ frame) => ({ image: 0, frame, channel: 0 });
  assert.deepEqual([...maps.values(at(1), 0)], [-28]);
  assert.deepEqual([...maps.values(at(1), 0, true)], [22]);
  assert.deepEqual([...maps.values(at(0), 1, true)], [-10]);
});

test("a map turns as numbers do: quarter turns exactly, a slope by its closed form", () => {
  const values = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const close = (/** @type {ArrayLike<number>} */ a, /** @type {number[]} */ b) =>
    b.forEach((v, p) => {
      assert.ok(Math.abs(a[p] - v) < 1e-4, `${p}: ${a[p]} for ${v}`);
    });
  close(turned(values, 3, Math.PI / 2, false), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
  close(turned(values, 3, 0, true), [3, 2, 1, 6, 5, 4, 9, 8, 7]);
  close(turned(values, 3, Math.PI / 2, true), [1, 4, 7, 2, 5, 8, 3, 6, 9]); // the mirror first
  const slope = Float32Array.from({ length: 81 }, (_, p) => (p % 9) - 4);
  const angle = 0.6;
  const found = turned(slope, 9, angle, false);
  for (const [x, y] of [
    [0, 0],
    [2, 1],
    [-1, 2],
  ]) {
    const wanted = Math.cos(angle) * x - Math.sin(angle) * y; // y downwards
    assert.ok(Math.abs(found[(y + 4) * 9 + x + 4] - wanted) < 1e-5);
  }
});

test("the two ways of the square meet where the law holds", () => {
  // Two orientations that change places at a half turn, and pixels that turn with them.
  const swap = [0, 1, 1, 0];
  const unturns = [[[1, 0, 0, 1], swap]];
  const spec = { orientations: 2, side: 2, unturns, kinds: [0], errors: [[]] };
  const [a, b] = [
    [138, 118, 100, 150],
    [130, 140, 150, 160],
  ];
  const flipped = (/** @type {number[]} */ map) => [...map].reverse();
  const lawful = new Maps(Uint8Array.from([...a, ...b, ...flipped(b), ...flipped(a)]), 2, spec);
  const pose = { image: 0, frame: 1, channel: 0, turn: Math.PI, mirror: false };
  for (const { off } of pathsOf(lawful, pose)) assert.ok(Math.max(...off.map(Math.abs)) < 1e-3);
  const plain = new Maps(Uint8Array.from([...a, ...b, ...flipped(a), ...flipped(b)]), 2, spec);
  for (const { off } of pathsOf(plain, pose)) assert.ok(Math.max(...off.map(Math.abs)) > 5);
});

test("at an element of the group each map tells where it was; between them none does", () => {
  assert.deepEqual(placesBefore([0, 1, 0, 0, 0, 1, 1, 0, 0], 3), [2, 0, 1]);
  assert.equal(placesBefore([0.5, 0.5, 0.5, 0.5], 2), undefined);
});

test("only channels that are here are shown", () => {
  const kinds = Array(250).fill(0);
  const spec = { orientations: 1, side: 1, unturns: [[[1]]], kinds, errors: [[0]] };
  const maps = new Maps(Uint8Array.from([129, 130]), 1, spec);
  maps.show(Uint8Array.from([131, 132]), 8);
  assert.deepEqual(
    [7, 8, 9, 10].map((c) => maps.has(c)),
    [false, true, true, false],
  );
  assert.deepEqual([...maps.values({ image: 0, frame: 0, channel: 9 }, 0)], [4]);
});

test("the square stands inside the page at every width", () => {
  for (const width of [320, 360, 619, 620, 768, 1100]) {
    for (const columns of [1, 4, 8, 16]) {
      const other = { channels: 2, columns: 1 };
      const found = arrangeSquare(width, { channels: 2, columns }, other);
      const { starts, cell, turned: below, height, step } = found;
      assert.ok(starts[0] + found.columns[0] * step <= starts[1] + 1e-6);
      assert.ok(starts[1] + cell <= width && cell > 20);
      assert.ok(below.x + below.side < starts[0] && below.y + below.side <= height);
    }
  }
});

test("in a window that is not tall the input stands beside its maps", () => {
  const model = { channels: 2, columns: 4 };
  for (const width of [420, 450, 619]) {
    const short = arrangeMaps(width, model, undefined, true);
    assert.ok(short.left > short.input && short.top < 20);
    assert.ok(arrangeMaps(width, model, undefined).top > 100);
  }
});

test("maps stand inside the page at every width", () => {
  for (const width of [320, 360, 619, 620, 768, 899, 1100]) {
    for (const columns of [1, 4, 8]) {
      const model = { channels: 2, columns };
      const { starts, step, cell, input } = arrangeMaps(width, model, { channels: 2, columns: 1 });
      const right = starts[1].x + columns * step + 0.35 * step + cell;
      assert.ok(right <= width, `${width}, ${columns}: ${right}`);
      assert.ok(cell > 8 && input > 100);
    }
  }
});

test("where it fills a wide screen, both blocks stand beside each other and are less tall", () => {
  const [model, other] = [
    { channels: 2, columns: 4 },
    { channels: 2, columns: 1 },
  ];
  const page = arrangeMaps(WIDEST.page, model, other);
  for (const width of [WIDEST.page + 20, 1500, WIDEST.screen]) {
    const { starts, step, cell, height } = arrangeMaps(width, model, other);
    assert.equal(starts[0].y, starts[1].y);
    assert.ok(starts[0].x + 4.35 * step + cell <= starts[1].x);
    assert.ok(height < page.height);
    for (const [columns, channels] of [
      [16, 1],
      [16, 2],
      [8, 4],
    ]) {
      const plain = { channels, columns: 1 };
      const dials = arrangeDial(width, { channels, columns }, plain, false, columns);
      const of = dials.dial + (dials.central ? 0 : dials.gap + dials.aside);
      assert.equal(dials.across, Math.min(2, channels));
      const last = (dials.across - 1) * dials.each + of;
      assert.ok(dials.starts[0].x + last <= dials.starts[1].x);
      assert.ok(dials.starts[1].x + last <= width);
      const lower = Math.ceil(channels / dials.across) * (dials.dial + dials.gap);
      assert.ok(dials.starts[0].y + 26 + lower <= dials.pictures);
    }
  }
});

test("many channels are paged: the page is as tall as four of them", () => {
  const tall = (/** @type {number} */ channels) =>
    arrangeMaps(1000, { channels, columns: 4 }, undefined).height;
  assert.equal(tall(250), tall(4));
  assert.ok(tall(4) > tall(3));
});

test("on a dial no map lies on another, and all of them on the dial", () => {
  for (const [count, turns] of [
    [2, 2],
    [4, 4],
    [8, 8],
    [16, 8],
    [16, 16],
    [12, 6],
  ]) {
    const { cell, places, inner } = placesOnDial(300, count, turns);
    assert.equal(places.length, count);
    assert.ok(cell > 20 && inner >= -1, `${count}: ${cell}, ${inner}`);
    places.forEach(({ x, y }, n) => {
      assert.ok(Math.min(x, y) >= 0 && Math.max(x, y) + cell <= 300);
      for (const other of places.slice(0, n)) {
        assert.ok(Math.hypot(other.x - x, other.y - y) >= cell, `${count}: ${n}`);
      }
    });
  }
});

test("a dial turns with the image: an element moves each map on by its angle", () => {
  const { cell, places } = placesOnDial(300, 8, 8);
  const angleOf = (/** @type {{ x: number, y: number }} */ { x, y }) =>
    Math.atan2(150 - y - cell / 2, x + cell / 2 - 150);
  const by = angleOf(places[1]) - angleOf(places[0]);
  assert.ok(Math.abs(by - Math.PI / 4) < 1e-9);
});

test("dials stand inside the page at every width", () => {
  for (const width of [320, 360, 619, 620, 768, 1100]) {
    for (const [columns, turns] of [
      [8, 8],
      [16, 16],
      [16, 8],
    ]) {
      for (const other of [undefined, 1, 8]) {
        const beside = other && { channels: 2, columns: other };
        const model = { channels: 2, columns };
        const found = arrangeDial(width, model, beside || undefined, false, turns);
        const across = found.dial + (found.central ? 0 : found.gap + found.aside);
        assert.ok(found.starts[1].x + (beside ? across : found.dial) <= width + 1e-6);
        assert.ok(found.dial > 90, `${width}, ${columns}: ${found.dial}`);
      }
    }
  }
});
