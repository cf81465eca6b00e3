// @ts-check
// The maps of a channel on a dial: each orientation at its own angle. An equivariant network turns
// the dial with the image; at an element of the group each map flies on to its next place.

import { BOLD, SMALL } from "../page/elements.js";
import { drawDisc } from "../page/turning_view.js";
import { placesOnDial } from "./layout.js";

/** @typedef {import("./maps.js").Maps} Maps */

/** One block of dials: as they come out, or stabilised.
 * @param {any} view a view of RotateImage
 * @param {CanvasRenderingContext2D} pen
 * @param {number} block
 * @param {string} title
 * @param {boolean} stabilised
 */
export function drawDials(view, pen, block, title, stabilised) {
  const { layout, maps, other, spec } = view;
  const { x, y } = layout.starts[block];
  const words = block ? title : `${spec.titles[0]}, ${title}`;
  view.text(pen, words, x, y, { font: BOLD, most: layout.room });
  const last = Math.min(view.first + layout.rows, Math.max(maps.channels, other?.channels ?? 0));
  for (let c = view.first; c < last; c++) {
    const n = c - view.first;
    const start = x + (n % layout.across) * layout.each;
    const top = y + 26 + Math.floor(n / layout.across) * (layout.dial + layout.gap);
    drawDial(view, pen, maps, c, { x: start, y: top, size: layout.dial }, stabilised);
    if (!other) continue;
    const size = other.columns === 1 ? layout.aside : layout.dial;
    const down = (layout.dial - size) / 2;
    const left = start + (layout.central ? down : layout.dial + layout.gap);
    drawDial(view, pen, other, c, { x: left, y: top + down, size }, stabilised);
    const named = { font: SMALL, align: "center", most: size, colour: view.hue(spec.roles[1]) };
    view.text(pen, spec.titles[1], left + size / 2, top + down - (down ? 2 : 8), named);
  }
  view.blocks[stabilised ? "stabilised" : "out"] = [x, y + 26, layout.dial, layout.dial];
}

/** @param {any} view @param {CanvasRenderingContext2D} pen @param {Maps} maps @param {number} channel
 * @param {{ x: number, y: number, size: number }} box @param {boolean} undo
 */
function drawDial(view, pen, maps, channel, { x, y, size }, undo) {
  if (channel >= maps.channels) return;
  if (!maps.has(channel)) {
    if (channel === view.first) view.missing(pen, x, y, size);
    return;
  }
  const { spec, image, frame, mirror } = view;
  const turns = maps.columns === spec.elements.length ? spec.turns : maps.columns;
  const { cell, places } = placesOnDial(size, maps.columns, turns);
  const flies = maps === view.maps && !undo;
  const before = flies ? view.placesBefore : undefined;
  const far = flies ? view.flight.progress(frame, before) : 1;
  for (let g = 0; g < maps.columns; g++) {
    const picture = maps.picture(view.colours, { image, frame, channel }, g, undo);
    const at = before ? along(places[before[g]], places[g], (size - cell) / 2, far) : places[g];
    const style = undo ? { turn: view.computedTurn, mirror, undo } : {};
    drawDisc(pen, picture, x + at.x, y + at.y, cell, style);
  }
  if (maps === view.maps && maps.columns > 1) drawNames(view, pen, { x, y, size }, turns);
}

/** Between two places of a dial, by angle and distance from its middle.
 * @param {{ x: number, y: number }} from @param {{ x: number, y: number }} to
 * @param {number} middle @param {number} far
 */
function along(from, to, middle, far) {
  if (far >= 1) return to;
  const polar = (/** @type {{ x: number, y: number }} */ { x, y }) => [
    Math.hypot(x - middle, y - middle),
    Math.atan2(y - middle, x - middle),
  ];
  const [[r0, a0], [r1, a1]] = [polar(from), polar(to)];
  const by = ((a1 - a0 + 3 * Math.PI) % (2 * Math.PI)) - Math.PI; // the short way
  const [radius, angle] = [r0 + far * (r1 - r0), a0 + far * by];
  return { x: middle + radius * Math.cos(angle), y: middle + radius * Math.sin(angle) };
}

/** The angles of some orientations, around the dial.
 * @param {any} view @param {CanvasRenderingContext2D} pen
 * @param {{ x: number, y: number, size: number }} box @param {number} turns
 */
function drawNames(view, pen, { x, y, size }, turns) {
  const every = turns > 8 && turns % 4 === 0 ? turns / 4 : 1;
  for (let h = 0; h < turns; h += every) {
    const angle = (2 * Math.PI * h) / turns;
    const [right, down] = [Math.cos(angle), -Math.sin(angle)];
    const middle = size / 2;
    const at = { x: x + middle + (middle - 13) * right, y: y + middle + (middle - 8) * down };
    const most = 26;
    view.text(pen, view.spec.elements[h], at.x, at.y - 7, { font: SMALL, align: "center", most });
  }
}
