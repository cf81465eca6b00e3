// @ts-check
// What RotateShape draws of triangles and lines: a cage, arrows, the faces of voxels. Corners are
// six numbers, spot and facing.

import { cross } from "./quaternions.js";

const FULL = 76; // a voxel of this level (of 255) or more is drawn

/** The edges of a cage: spot and facing of both ends. */
export const EDGES = new Float32Array(
  [0, 1, 2].flatMap((axis) =>
    [
      [-1, -1],
      [-1, 1],
      [1, -1],
      [1, 1],
    ].flatMap((pair) =>
      [-1, 1].flatMap((end) => {
        const corner = [...pair];
        corner.splice(axis, 0, end);
        return [...corner, 0, 0, 0];
      }),
    ),
  ),
);

/** One arrow: corners as [around x, around y, radius, kind], kind 0 foot, 1 neck, 2 brim, 3 tip, and
 *  the triangles between them. Few: a page may have no graphics card. */
function arrowMesh(sides = 5) {
  const rings = [
    [0.016, 0],
    [0.016, 1],
    [0.046, 2],
    [0, 3],
  ];
  const corners = rings.flatMap(([radius, kind]) =>
    Array.from({ length: sides }, (_, n) => {
      const angle = (2 * Math.PI * (n + 0.5 * Number(kind === 3))) / sides;
      return [Math.cos(angle), Math.sin(angle), radius, kind];
    }),
  );
  const order = [];
  for (let n = 0; n < sides; n++) {
    const m = (n + 1) % sides;
    for (const ring of [0, 2]) {
      // the shaft, the head
      const [a, b, c, d] = [n, m, sides + n, sides + m].map((k) => ring * sides + k);
      order.push(a, b, c);
      if (ring === 0) order.push(c, b, d);
    }
    if (n > 0 && m > 0) order.push(2 * sides, 2 * sides + m, 2 * sides + n); // under the head
  }
  return { corners, order };
}

export const ARROW_MESH = arrowMesh();

/** The corners of one arrow: six numbers each, spot and facing, into `out` from place `at` on.
 * @param {Float32Array} out
 * @param {number} at
 * @param {number[]} spot
 * @param {number[]} along
 * @param {number} length
 */
export function putArrow(out, at, spot, along, length) {
  const across = cross(along, Math.abs(along[2]) < 0.8 ? [0, 0, 1] : [1, 0, 0]);
  const wide = Math.hypot(...across);
  const side = across.map((v) => v / wide),
    other = cross(along, side);
  const head = Math.min(0.11, 0.55 * length),
    thin = Math.min(1, length / 0.1);
  ARROW_MESH.corners.forEach(([x, y, radius, kind], n) => {
    const far = kind === 0 ? 0 : kind === 3 ? length : length - head;
    for (let k = 0; k < 3; k++) {
      const away = side[k] * x + other[k] * y;
      out[at + 6 * n + k] = spot[k] + along[k] * far + away * radius * thin;
      out[at + 6 * n + 3 + k] = away + (kind > 1 ? 0.4 * along[k] : 0);
    }
  });
}

/** The outer faces of the filled voxels of a grid of bytes, axes z y x: spot and facing.
 * @param {Uint8Array} grid
 * @param {number} side
 */
export function voxelFaces(grid, side) {
  const out = [],
    half = side / 2;
  /** @param {number} x @param {number} y @param {number} z */
  const full = (x, y, z) =>
    x >= 0 &&
    y >= 0 &&
    z >= 0 &&
    x < side &&
    y < side &&
    z < side &&
    grid[(z * side + y) * side + x] >= FULL;
  const corners = [
    [0, 0],
    [1, 0],
    [0, 1],
    [0, 1],
    [1, 0],
    [1, 1],
  ];
  for (let z = 0; z < side; z++)
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        if (!full(x, y, z)) continue;
        for (let axis = 0; axis < 3; axis++)
          for (const way of [0, 1]) {
            const facing = [0, 0, 0];
            facing[axis] = 2 * way - 1;
            if (full(x + facing[0], y + facing[1], z + facing[2])) continue;
            for (const [a, b] of corners) {
              const [u, v] = way ? [a, b] : [b, a]; // counter-clockwise from outside
              const spot = [x, y, z];
              spot[axis] += way;
              spot[(axis + 1) % 3] += u;
              spot[(axis + 2) % 3] += v;
              out.push(...spot.map((value) => value / half - 1), ...facing);
            }
          }
      }
  return new Float32Array(out);
}
