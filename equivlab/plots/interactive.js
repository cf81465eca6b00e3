// @ts-check
// A figure of plotly in a page. The script is fetched once for all figures: from an element of the
// page, or else from the kernel.

const ID = "equivlab-plotly";
const STEP = Math.PI / 24; // of a turn by a key
const STEPS = /** @type {Record<string, [number, number, number]>} */ ({
  ArrowLeft: [-STEP, 0, 1],
  ArrowRight: [STEP, 0, 1],
  ArrowUp: [0, STEP, 1],
  ArrowDown: [0, -STEP, 1],
  "+": [0, 0, 1 / 1.1],
  "-": [0, 0, 1.1],
});
const AXES = ["xaxis", "yaxis", "zaxis"];
const FLAT = /^[xy]axis\d*$/;

/** @typedef {number[]} Eye */
/** @type {any} */
const page = globalThis;

/** The script's bytes, deflated. @param {any} invoke */
async function fetched(invoke) {
  const kept = document.getElementById(ID)?.textContent;
  if (kept) return Uint8Array.from(atob(kept), (c) => c.charCodeAt(0));
  if (!invoke) throw new Error("plotly is not in this page");
  const [, [bytes]] = await invoke("library", {});
  return bytes;
}

/** Run the script, whatever loaders the page has. @param {any} invoke */
async function load(invoke) {
  const stream = new Blob([await fetched(invoke)]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream("deflate"));
  const text = await new Response(inflated).text();
  const whole = `const module = { exports: {} };\n${text}\nexport default module.exports;`;
  const url = URL.createObjectURL(new Blob([whole], { type: "text/javascript" }));
  try {
    return (await import(url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** plotly, which all figures of a page share; a failure is tried again by the next. @param {any} invoke */
function plotly(invoke) {
  page.equivlabPlotly ??= load(invoke).catch((problem) => {
    page.equivlabPlotly = undefined;
    throw problem;
  });
  return page.equivlabPlotly;
}

/** A point of view, turned about the vertical and up or down, at another distance.
 * @param {Eye} eye @param {[number, number, number]} step
 * @returns {Eye}
 */
export function turned([x, y, z], [around, up, far]) {
  const length = far * Math.hypot(x, y, z);
  const angle = Math.atan2(y, x) + around;
  const height = Math.max(-1.5, Math.min(1.5, Math.atan2(z, Math.hypot(x, y)) + up));
  const flat = length * Math.cos(height);
  return [flat * Math.cos(angle), flat * Math.sin(angle), length * Math.sin(height)];
}

/** The layout in the colours of the page. @param {any} layout @param {string} ink */
export function inked(layout, ink) {
  const faint = ink.replace(/^rgba?\(([^,]+),([^,]+),([^,)]+).*$/, "rgba($1,$2,$3,0.25)");
  const axis = { color: ink, gridcolor: faint, zerolinecolor: faint, linecolor: faint };
  const clear = "rgba(0,0,0,0)";
  const found = { ...layout, paper_bgcolor: clear, plot_bgcolor: clear };
  found.font = { ...layout.font, color: ink };
  for (const name of Object.keys(layout)) {
    if (FLAT.test(name)) found[name] = { ...axis, ...layout[name] };
    if (name.startsWith("scene")) {
      const boxes = AXES.map((each) => [each, { ...axis, ...layout[name][each] }]);
      found[name] = { ...layout[name], ...Object.fromEntries(boxes) };
    }
    if (name.startsWith("polar")) {
      const { radialaxis, angularaxis } = layout[name];
      const both = {
        radialaxis: { ...axis, ...radialaxis },
        angularaxis: { ...axis, ...angularaxis },
      };
      found[name] = { ...layout[name], bgcolor: clear, ...both };
    }
  }
  return found;
}

/** Whether a key goes on to the notebook: to leave, to run, or a shortcut of the browser.
 * @param {KeyboardEvent} event
 */
const goesOn = ({ key, ctrlKey, metaKey, altKey, shiftKey }) =>
  ctrlKey || metaKey || altKey || ["Tab", "Escape"].includes(key) || (key === "Enter" && shiftKey);

/** @param {{ model: any, el: HTMLElement, experimental?: any }} context */
async function render({ model, el, experimental }) {
  const { data, layout } = JSON.parse(model.get("_figure"));
  const spaces = Object.keys(layout).filter((name) => name.startsWith("scene"));
  /** @type {any} */
  const box = el.appendChild(document.createElement("div"));
  const hint = spaces.length ? " Arrows turn it, + and − zoom, r resets." : "";
  Object.assign(box, { tabIndex: 0, className: "equivlab-plotly" });
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", model.get("says") + hint);
  const Plotly = await plotly(experimental?.invoke).catch((/** @type {Error} */ problem) => {
    box.textContent = `This figure cannot be drawn: ${problem.message}`;
  });
  if (!Plotly) return undefined;
  const ink = () => getComputedStyle(el).color;
  const options = { responsive: true, displaylogo: false };
  await Plotly.newPlot(box, data, inked(layout, ink()), options);
  const home = () => Object.values(box._fullLayout[spaces[0]].camera.eye).slice(0, 3);
  const first = spaces.length ? home() : [];
  if (!model.get("eye").length && first.length) model.set("eye", first);

  const look = () => {
    const eye = /** @type {Eye} */ (model.get("eye"));
    if (!spaces.length || eye.length !== 3 || String(eye) === String(home())) return;
    const [x, y, z] = eye;
    const all = spaces.map((name) => [`${name}.camera.eye`, { x, y, z }]);
    Plotly.relayout(box, Object.fromEntries(all));
  };
  const moved = (/** @type {any} */ change) => {
    if (!spaces.length || !Object.keys(change).some((name) => name.includes("camera"))) return;
    if (String(home()) === String(model.get("eye"))) return;
    model.set("eye", home());
    model.save_changes();
  };
  box.on("plotly_relayout", moved);
  box.on("plotly_relayouting", moved);
  model.on("change:eye", look);
  look();
  el.addEventListener("keydown", (event) => {
    if (goesOn(event)) return;
    event.stopPropagation();
    const step = STEPS[event.key];
    if (!spaces.length || !(step || event.key === "r")) return;
    event.preventDefault();
    model.set("eye", step ? turned(model.get("eye"), step) : first);
    model.save_changes();
  });
  let last = ink();
  const themes = new MutationObserver(() => {
    if (ink() === last) return;
    last = ink();
    Plotly.relayout(box, inked(box.layout, last));
  });
  const what = { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "style"] };
  for (const place of [document.documentElement, document.body]) themes.observe(place, what);
  box.dataset.painted = "1";
  return () => {
    themes.disconnect();
    model.off("change:eye", look);
    Plotly.purge(box);
  };
}

export default { render };
