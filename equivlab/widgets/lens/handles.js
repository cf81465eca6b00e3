// @ts-check
// What of a lens a hand can take, and which numbers follow it.

/** @typedef {import("./layout.js").Point} Point */
/** @typedef {Record<string, any>} Pose the numbers of `equivlab.widgets.lens.sky.Pose` */
/** @typedef {Record<string, [number, number, number]>} Limits lowest, highest, step */

const WRAPS = /** @type {Record<string, number>} */ ({
  angle_deg: 360,
  axis_deg: 180,
  shear_deg: 180,
});

/** A number as near to a wish as it may be; angles begin anew.
 * @param {Limits} limits
 * @param {string} name
 * @param {number} wish
 */
export function allowed(limits, name, wish) {
  const whole = WRAPS[name];
  const [low, high] = limits[name];
  const value = Number.isFinite(wish) ? wish : low;
  const found = whole ? ((value % whole) + whole) % whole : Math.max(low, Math.min(high, value));
  return Math.round(1000 * found) / 1000 + 0; // no −0
}

/** How far from the lens the handle of its axis stands: on the Einstein ring if it is round.
 * @param {Pose} pose
 */
const reach = ({ theta_e, ellipticity }) => theta_e * (1 + 2 * ellipticity);

/** Where the handles are, in arc seconds, before the turn. @param {Pose} pose @param {Limits} limits
 * @returns {Record<string, Point>}
 */
export function handlesOf(pose, limits) {
  const { lens_x, lens_y, axis_deg } = pose;
  const axis = (axis_deg * Math.PI) / 180;
  const far = reach(pose);
  /** @type {Record<string, Point>} */
  const found = {
    source: { x: pose.source_x, y: pose.source_y },
    lens: { x: lens_x, y: lens_y },
    axis: { x: lens_x + far * Math.cos(axis), y: lens_y + far * Math.sin(axis) },
  };
  if (pose.clump_mass > limits.clump_mass[0]) found.clump = { x: pose.clump_x, y: pose.clump_y };
  return found;
}

/** What changes when a handle is at a point, before the turn.
 * @param {string} name
 * @param {Point} point
 * @param {Pose} pose
 * @returns {Record<string, number>}
 */
export function moved(name, point, pose) {
  if (name !== "axis") return { [`${name}_x`]: point.x, [`${name}_y`]: point.y };
  const [x, y] = [point.x - pose.lens_x, point.y - pose.lens_y];
  return {
    axis_deg: (Math.atan2(y, x) * 180) / Math.PI,
    ellipticity: (Math.hypot(x, y) / pose.theta_e - 1) / 2,
  };
}

/** The handle under a pointer, the nearest if several are. @param {Record<string, Point>} places
 * @param {Point} at
 * @param {number} far pixels
 */
export function under(places, at, far = 16) {
  const near = Object.entries(places)
    .map(([name, place]) => ({ name, far: Math.hypot(place.x - at.x, place.y - at.y) }))
    .filter((one) => one.far <= far)
    .sort((a, b) => a.far - b.far);
  return near[0]?.name;
}
