// @ts-check
// Where everything stands in the page of TrainLive.

/**
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 * @typedef {object} Grid tiles, row by row
 * @property {number} x
 * @property {number} y
 * @property {number} side of a tile
 * @property {number} columns
 */

const LEFT = 52; // for the numbers beside a curve
const PLOT = 118;
const TALLEST = 200;
const BETWEEN = 6;
const HEADING = 24;

/** Two curves, and beside or below them a picture, filters and maps.
 * @param {number} width
 * @param {number[]} filters shape (F, k, k)
 * @param {number[]} maps shape (C, G, h, h)
 */
export function arrangeTraining(width, filters, maps) {
  const narrow = width < 720;
  const column = narrow ? width - 16 : Math.floor((width - 40) / 2);
  const head = narrow ? 50 : 32;
  const below = narrow ? head + frames(PLOT) : 0;
  const pictures = arrangePictures(narrow ? 8 : column + 32, below || head, column, filters, maps);
  const room = (pictures.end - head - frames(0)) / 2; // as tall as the pictures beside them
  const tall = narrow ? PLOT : Math.round(Math.max(PLOT, Math.min(TALLEST, room)));
  const plot = { x: 8 + LEFT, width: column - LEFT - 12, height: tall };
  const loss = { ...plot, y: head + HEADING };
  const accuracy = { ...plot, y: loss.y + tall + 14 + HEADING };
  const height = Math.max(head + frames(tall), pictures.end + 8);
  return { width, narrow, column, loss, accuracy, ...pictures, height };
}

/** What two curves of this height take, with all their words. @param {number} tall */
const frames = (tall) => 2 * (HEADING + tall) + 14 + 50;

/** The picture, filters beside it, maps below.
 * @param {number} x
 * @param {number} top
 * @param {number} width
 * @param {number[]} filters
 * @param {number[]} maps
 */
function arrangePictures(x, top, width, [count], [channels, elements]) {
  const y = top + HEADING;
  const picture = { x, y, side: Math.min(96, Math.floor(width / 4)) };
  const beside = picture.side + 20;
  const filters = grid(x + beside, y, width - beside, count, 48, 4);
  const rows = Math.ceil(count / filters.columns) * (filters.side + BETWEEN);
  const under = y + Math.max(picture.side, rows) + 12 + HEADING;
  const across = elements > 1 ? elements : Math.min(channels, 4);
  const tiles = grid(x, under, width, across, 72, across);
  const deep = elements > 1 ? channels : Math.ceil(channels / Math.max(across, 1));
  const end = deep ? under + deep * (tiles.side + BETWEEN) : under - HEADING;
  return { picture, filters, maps: tiles, end };
}

/** @returns {Grid}
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} count
 * @param {number} most pixels of a tile
 * @param {number} most_columns
 */
function grid(x, y, width, count, most, most_columns) {
  const columns = Math.max(1, Math.min(count, most_columns));
  return { x, y, columns, side: Math.min(most, Math.floor(width / columns) - BETWEEN) };
}

/** Where tile `n` stands. @param {Grid} grid @param {number} n */
export const tileAt = ({ x, y, side, columns }, n) => ({
  x: x + (n % columns) * (side + BETWEEN),
  y: y + Math.floor(n / columns) * (side + BETWEEN),
});
