// @ts-check
// At the elements of the group each map flies from where it was at rest to where it is now.

const LASTS = 450; // ms

/** The place at rest of each orientation's map in a frame; nothing between the elements, where
 * orientations mix.
 * @param {number[]} unturn the matrix that mixes the orientations back
 * @param {number} order
 */
export function placesBefore(unturn, order) {
  const places = Array(order).fill(-1);
  for (let rest = 0; rest < order; rest++) {
    for (let now = 0; now < order; now++) {
      if (unturn[rest * order + now] > 1 - 1e-6) places[now] = rest;
    }
  }
  return places.includes(-1) ? undefined : places;
}

/** Whether the reader wants things to move. */
const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Which flight is on, and how far. */
export class Flight {
  /** @param {() => void} redraw */
  constructor(redraw) {
    this.redraw = redraw;
    this.frame = -1;
    this.began = -LASTS;
  }

  /** How far the maps of a frame have flown, from 0 to 1.
   * @param {number} frame
   * @param {number[] | undefined} before
   */
  progress(frame, before) {
    const now = performance.now();
    if (frame !== this.frame) {
      const flies = this.frame >= 0 && before?.some((place, g) => place !== g) && !calm();
      this.began = flies ? now : now - LASTS;
      this.frame = frame;
    }
    const far = Math.min(1, (now - this.began) / LASTS);
    if (far < 1) requestAnimationFrame(this.redraw);
    return far * far * (3 - 2 * far); // slow at both ends
  }
}
