// @ts-check
// Where the WebGL canvases of RotateSphere lie, and how finely they draw.

const COARSE = 0.5; // of the pixels a side, without a graphics card, while a hand turns the globe

/** How finely a view draws now: what a hand moves need not be sharp, but soon; nor what it has just let
 * go, until the last answer is there.
 * @param {any} view
 */
function finenessOf({ painters, grip, fineness, loop }) {
  const waiting = fineness === COARSE && loop.open.length > 0 && !loop.silent;
  return painters[0].slow && (grip || waiting) ? COARSE : 1;
}

/** Put each WebGL canvas under its rings.
 * @param {any} view
 */
export function fitGlasses(view) {
  const { scale, zoom, layout, glasses, painters } = view;
  const fineness = finenessOf(view);
  const pixels = scale * fineness; // for each unit of the layout
  const side = Math.round(layout.disc * pixels);
  layout.panes.forEach(
    (/** @type {import("./layout.js").Place[]} */ spheres, /** @type {number} */ n) => {
      const [x, y] = [Math.min(...spheres.map((s) => s.x)), Math.min(...spheres.map((s) => s.y))];
      const boxes = spheres.map((sphere) => ({
        x: Math.round((sphere.x - x) * pixels),
        y: Math.round((sphere.y - y) * pixels),
        side,
      }));
      const width = Math.max(...boxes.map((box) => box.x)) + side;
      const height = Math.max(...boxes.map((box) => box.y)) + side;
      painters[n].fit(width, height, fineness);
      view.boxes[n] = boxes;
      Object.assign(glasses[n].style, {
        left: `${x * zoom}px`,
        top: `${y * zoom}px`,
        width: `${(width / pixels) * zoom}px`,
        height: `${(height / pixels) * zoom}px`,
      });
    },
  );
  view.fineness = fineness;
  view.drawn.clear();
}

/** Draw with more pixels or fewer, if a hand has come or gone. @param {any} view */
export function sharpen(view) {
  if (view.fineness !== finenessOf(view)) fitGlasses(view);
}
