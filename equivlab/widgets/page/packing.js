// @ts-check
// The bytes of a widget's state as `page/packing.py` packs them.

/** Base64 as bytes. @param {string} text */
export const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Add to each byte the one `lag` before it, from the start on.
 * @param {Uint8Array} bytes @param {number} lag
 */
export function summed(bytes, lag) {
  for (let i = lag; i < bytes.length; i++) bytes[i] += bytes[i - lag];
  return bytes;
}

/**
 * @typedef {object} Turns how frames follow from others, see `page/foretelling.py`
 * @property {number[]} shape images, mirrors, steps, channels, orientations, rows, columns
 * @property {number[]} quarter from which orientation each comes in a quarter turn
 * @property {number[]} [mirror] and in a mirror
 */

/** Add to each frame what the one a quarter turn before it foretells, or the one not mirrored.
 * @param {Uint8Array} bytes @param {Turns} turns
 */
export function foretold(bytes, { shape, quarter, mirror = [] }) {
  const [images, mirrors, steps, channels, orientations, side] = shape;
  const size = side * side;
  const frames = mirrors * steps;
  for (let image = 0; image < images; image++) {
    for (let frame = steps / 4; frame < frames; frame++) {
      const flipped = frame >= steps;
      const from = flipped ? (frames - frame) % steps : frame - steps / 4;
      for (let n = 0; n < channels * orientations; n++) {
        const o = n % orientations;
        const place = n - o + (flipped ? mirror : quarter)[o];
        const to = ((image * frames + frame) * channels * orientations + n) * size;
        const at = ((image * frames + from) * channels * orientations + place) * size;
        for (let row = 0; row < side; row++) {
          for (let column = 0; column < side; column++) {
            const back = side - 1 - (flipped ? column : row);
            bytes[to + row * side + column] += bytes[at + (flipped ? row : column) * side + back];
          }
        }
      }
    }
  }
  return bytes;
}

/** Unpack what is packed.
 * @param {{ path: (string | number)[], data: string, lags?: number[], turns?: Turns }[]} buffers
 */
export function inflated(buffers) {
  return Promise.all(
    buffers.map(async ({ path, data, lags, turns }) => {
      if (!lags) return { path, data };
      const packed = new Blob([decoded(data)]).stream();
      const stream = packed.pipeThrough(new DecompressionStream("deflate"));
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
      const raw = [...lags].reverse().reduce(summed, bytes);
      return { path, raw: turns ? foretold(raw, turns) : raw };
    }),
  );
}
