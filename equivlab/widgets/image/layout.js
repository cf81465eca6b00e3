// @ts-check
// Where everything of RotateImage stands: the input, the maps in rows or on dials, the curve.

import { budgetHeight } from "../page/budget.js";
import { CURVE_HEIGHT } from "../page/turning_view.js";

/** @typedef {{ channels: number, columns: number }} Grid */

/** Channels on show at once; more are paged. */
export const ROWS = 4;
/** The largest width, on a page and when it fills the screen. */
export const WIDEST = { page: 1100, screen: 1900 };
const BETWEEN = 6; // pictures
const ROOM_INSIDE = 0.42; // of a dial

/** The input and what is around the maps.
 * @param {number} width
 * @param {boolean} short
 */
function aroundMaps(width, short) {
  const narrow = width < (short ? 400 : 620);
  const beside = Math.min(220, Math.max(short ? 120 : 150, 0.21 * width));
  const input = narrow ? Math.min(width - 190, short ? 130 : 200) : beside;
  const left = narrow ? 8 : input + 48;
  const top = narrow ? input + 72 : 8;
  const legend = width < 900 ? 22 : 0; // else it stands beside the title of the curve
  const words = narrow ? width - input - 52 : left - 30; // room beside or below the input
  return { width, narrow, input, left, top, gap: BETWEEN, legend, words };
}

/** @param {number} pictures where the maps end
 * @param {{ width: number, legend: number, input: number }} around
 * @param {number} networks
 */
function endOf(pictures, { width, legend, input }, networks) {
  const budget = Math.max(pictures, input + 132 + 22 * networks);
  const top = budget + budgetHeight(width, networks - 1);
  return { budget, pictures: top, height: top + legend + CURVE_HEIGHT + 44 };
}

/** Rows of maps, for a canvas of a given width.
 * @param {number} width
 * @param {Grid} model
 * @param {Grid | undefined} other
 * @param {boolean} short whether the window is not tall: then the input stays beside its maps
 */
export function arrangeMaps(width, model, other, short = false) {
  const around = aroundMaps(width, short);
  const columns = model.columns + (other ? other.columns + 0.35 : 0);
  const rows = Math.min(ROWS, Math.max(model.channels, other ? other.channels : 0));
  const beside = !around.narrow && (columns < 4 || width > WIDEST.page); // both blocks
  const room = (width - around.left - 26) / (beside ? 2 : 1);
  const cell = Math.min(beside || columns < 4 ? 150 : 96, room / columns - BETWEEN);
  const block = rows * (cell + BETWEEN) + 62;
  const { left, top } = around;
  const second = beside ? { x: left + room + 12, y: top } : { x: left, y: top + block };
  const starts = [{ x: left, y: top }, second];
  const ends = endOf(top + (beside ? 1 : 2) * block, around, other ? 3 : 2);
  return { ...around, cell, step: cell + BETWEEN, rows, room, starts, ...ends };
}

/** Places of a channel's maps on a dial: each at its own angle, mirrored ones inside.
 * @param {number} size of the dial
 * @param {number} count of maps
 * @param {number} turns of the group
 */
export function placesOnDial(size, count, turns) {
  if (count === 1) {
    const cell = Math.min(110, 0.62 * size);
    return { cell, places: [{ x: size / 2 - cell / 2, y: size / 2 - cell / 2 }], inner: 0 };
  }
  const rings = Math.ceil(count / turns);
  const apart = 2 * Math.sin(Math.PI / Math.max(2, turns));
  const rim = 27; // for names
  let cell = 0.3 * size;
  const radiusOf = (/** @type {number} */ ring) => size / 2 - rim - cell / 2 - ring * (cell + 3);
  while (cell > 6 && radiusOf(rings - 1) * apart < cell + 2) cell -= 0.5;
  const places = Array.from({ length: count }, (_, h) => {
    const angle = (2 * Math.PI * (h % turns)) / turns;
    const radius = radiusOf(Math.floor(h / turns));
    return {
      x: size / 2 + radius * Math.cos(angle) - cell / 2,
      y: size / 2 - radius * Math.sin(angle) - cell / 2,
    };
  });
  return { cell, places, inner: 2 * radiusOf(rings - 1) - cell };
}

/** Dials of maps: one for each channel and network, as they come out and, beside or below, put back.
 * @param {number} width
 * @param {Grid} model
 * @param {Grid | undefined} other
 * @param {boolean} short
 * @param {number} turns of the group
 */
export function arrangeDial(width, model, other, short, turns) {
  const around = aroundMaps(width, short);
  const rows = Math.min(ROWS, Math.max(model.channels, other ? other.channels : 0));
  const beside = !around.narrow;
  const room = (width - around.left - 8) / (beside ? 2 : 1) - (beside ? 12 : 0);
  const free = placesOnDial(300, model.columns, turns).inner / 300;
  const central = other?.columns === 1 && free > ROOM_INSIDE; // then the other stands in the middle
  const share = !other || central ? 0 : other.columns === 1 ? 0.42 : 1;
  const across = width > WIDEST.page ? Math.min(2, rows) : 1; // channels side by side
  const down = Math.ceil(rows / across);
  const each = room / across; // of a channel
  const dial = Math.min([0, 380, 320, 260, 220][down], each / (1 + share) - BETWEEN);
  const block = down * (dial + BETWEEN) + 36;
  const pictures = around.top + (beside ? 1 : 2) * block;
  const ends = endOf(pictures, around, other ? 3 : 2);
  const second = beside ? { x: around.left + room + 12, y: around.top } : undefined;
  const starts = [
    { x: around.left, y: around.top },
    second ?? { x: around.left, y: around.top + block },
  ];
  const aside = (central ? 0.8 * free : share) * dial;
  return { ...around, dial, aside, central, rows, across, each, room, starts, ...ends };
}
