// @ts-check
// Where everything stands in the page of SeeThrough, and what arc seconds are in pixels.

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ x: number, y: number, side: number, half: number }} Plane a square piece of sky, `half`
 * of its side in arc seconds
 */

const HEAD = 30; // of a title
const ROW = 18; // of a bar
const BEHIND = 1.6; // arc seconds, half of the source plane on show

/** The picture, the source plane, bars of what is said, and a curve of it all round.
 * @param {number} width
 * @param {number} half arc seconds, half of the picture
 * @param {number} rows bars of one network
 * @param {number} networks
 */
export function arrangeLens(width, half, rows, networks) {
  const narrow = width < 720;
  const side = narrow ? Math.min(width - 16, 340) : Math.min(350, Math.floor(0.37 * width));
  const small = narrow ? Math.min(200, Math.floor((width - 32) / 2)) : Math.floor(0.26 * width);
  const inner = Math.min(small, 240);
  const sky = { x: 8, y: HEAD, side, half };
  const under = HEAD + side + HEAD + 8;
  const behind = narrow
    ? { x: 8, y: under, side: inner, half: BEHIND }
    : { x: side + 28, y: HEAD, side: inner, half: BEHIND };
  const left = behind.x + inner + 20;
  const bars = { x: left, y: behind.y, width: width - left - 8 };
  const said = networks * (rows * ROW + 24);
  const numbers = { x: behind.x, y: behind.y + inner + 10 };
  const below = (narrow ? Math.max(numbers.y + 48, bars.y + said) : bars.y + said) + HEAD + 6;
  const curve = narrow
    ? { x: 48, y: below, width: width - 64, height: 96 }
    : { x: left + 40, y: below, width: bars.width - 48, height: 110 };
  const foot = networks ? curve.y + curve.height + 44 : 0;
  const height = Math.max(HEAD + side + 12, numbers.y + 60, foot);
  return { width, narrow, sky, behind, bars, numbers, curve, row: ROW, height };
}

/** Turn a point about the middle, counter-clockwise. @param {Point} point @param {number} angle radians */
export const turned = ({ x, y }, angle) => ({
  x: x * Math.cos(angle) - y * Math.sin(angle),
  y: x * Math.sin(angle) + y * Math.cos(angle),
});

/** Where arc seconds stand on the canvas. @param {Plane} plane @param {Point} point */
export const onCanvas = ({ x, y, side, half }, point) => ({
  x: x + (side * (1 + point.x / half)) / 2,
  y: y + (side * (1 - point.y / half)) / 2,
});

/** The arc seconds at a place of the canvas. @param {Plane} plane @param {Point} at */
export const inSky = ({ x, y, side, half }, at) => ({
  x: half * ((2 * (at.x - x)) / side - 1),
  y: half * (1 - (2 * (at.y - y)) / side),
});

/** @param {Plane} plane @param {Point} at */
export const isInside = ({ x, y, side }, at) =>
  at.x >= x && at.x <= x + side && at.y >= y && at.y <= y + side;
