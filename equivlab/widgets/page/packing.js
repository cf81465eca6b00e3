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

/** Unpack what is packed.
 * @param {{ path: (string | number)[], data: string, lags?: number[] }[]} buffers
 */
export function inflated(buffers) {
  return Promise.all(
    buffers.map(async ({ path, data, lags }) => {
      if (!lags) return { path, data };
      const packed = new Blob([decoded(data)]).stream();
      const stream = packed.pipeThrough(new DecompressionStream("deflate"));
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
      return { path, raw: [...lags].reverse().reduce(summed, bytes) };
    }),
  );
}
