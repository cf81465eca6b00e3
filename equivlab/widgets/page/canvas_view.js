// @ts-check
// A view on the state of a widget, drawn on a canvas. A page extends it: `traits` and `changed`
// for the state, `keys` for the keyboard, `arrange` for the layout, and `draw`.

import { DEGREES, describe, element, FONT } from "./elements.js";
import { Help } from "./help.js";
import { goesOn, keeps } from "./keys.js";
import { HUES, huesFor, legible } from "./palette.js";
import { inkOf, isLight, paperOf } from "./paper.js";
import { VIEW_STYLE } from "./style.js";

/**
 * @typedef {Pick<import("@anywidget/types").RenderProps, "model" | "el" | "experimental">} Context
 * @typedef {{ font?: string, colour?: string, align?: CanvasTextAlign, most?: number }} TextStyle
 */

/** The state, the controls and the drawing; a page adds what is its own, `draw` at the least. */
const PRINT = 2; // pixels of a saved picture for one of the page, at the least
const LARGEST_TYPE = 2.5; // times the size on a page, when it fills the screen
const LEAST_TYPE = 10; // pixels, of words that have too little room
const NEARLY = 0.9; // as large, where that fills more of it
const NARROWEST = 640; // pixels, of what fills the screen: input and maps side by side
const LEAST_WIDTH = 320; // pixels, of all layouts
const LEAST_ZOOM = 0.7; // of words that can still be read
const HINTS = 64; // pixels left for the line of keys
const OURS = "data-lm-suppress-shortcuts"; // what tells Jupyter that a key is not for it
const SHORT = 620; // a window less tall shows input and maps side by side where it can

export class CanvasView {
  /** @param {Context} context @param {string} kind */
  constructor({ model: state, el, experimental }, kind) {
    this.state = state;
    this.el = el;
    this.invoke = experimental?.invoke;
    this.spec = state.get("_spec");
    this.canvas = element("canvas", { tabIndex: 0 });
    this.painted = 0;
    /** @type {number | undefined} */
    this.nextFrame = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.saving = undefined;
    this.patience = 150; // ms between two words to the kernel about the state, while it changes
    this.scale = 1; // pixels of the canvas for one of the layout
    this.zoom = 1; // pixels of the page for one of the layout
    this.sharpness = 0; // pixels for one of the page that a picture to save needs
    this.ink = "";
    this.hues = HUES.light;
    /** @type {any} */
    this.layout = undefined;
    /** @type {(() => void)[]} */
    this.cleanup = [];
    this.el.replaceChildren(element("style", { textContent: VIEW_STYLE }));
    this.el.classList.add("equivlab-view", kind);
    this.el.tabIndex = -1; // a click beside the controls keeps the keys in the widget
  }

  // --- what a page adds ----------------------------------------------------------------------

  /** The traits that the page follows. @returns {string[]} */
  get traits() {
    return [];
  }

  /** One of them has changed, here or in the kernel. @param {string} _name */
  changed(_name) {
    this.redraw();
  }

  /** All keys and words, for the "?".
   * @returns {{ keys: import("./help.js").Rows, words: import("./help.js").Rows }}
   */
  get explained() {
    return { keys: [], words: [] };
  }

  /** Whether a pointer that goes down there takes hold of something; else a finger scrolls the page.
   * @param {number} _x
   * @param {number} _y
   */
  grips(_x, _y) {
    return false;
  }

  /** What each key does. @param {KeyboardEvent} _event @returns {Record<string, () => void>} */
  keys(_event) {
    return {};
  }

  /** Where everything stands in a page of some width; `width` and `height` at the least.
   * @param {number} width
   * @param {boolean} _short whether the window is not tall
   * @returns {any}
   */
  arrange(width, _short) {
    return { width, height: width };
  }

  draw() {}

  /** The canvases that have the size of the layout. */
  get canvases() {
    return [this.canvas];
  }

  /** After a change of size. */
  fitted() {}

  /** The pointer is down, moves, is up. @param {PointerEvent} _event */
  grab(_event) {}

  /** @param {PointerEvent} _event */
  drag(_event) {}

  drop() {}

  // --- the state and the controls --------------------------------------------------------------

  /** Change the state, and tell the kernel now and then. @param {Record<string, any>} changes */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.state.set(name, value);
    this.saving ??= setTimeout(() => {
      this.saving = undefined;
      try {
        this.state.save_changes();
      } catch {
        // Without a kernel the page keeps what it knows.
      }
    }, this.patience);
  }

  /** @param {string} text @param {string} title @param {() => void} act */
  button(text, title, act) {
    const node = element("button", { textContent: text, title, type: "button" });
    node.addEventListener("click", act);
    return node;
  }

  /** A button with a small picture on it.
   * @param {HTMLCanvasElement} picture
   * @param {string} words
   * @param {() => void} act
   */
  pick(picture, words, act) {
    const node = this.button("", words, act);
    node.className = "pick";
    node.append(picture);
    return describe(node, { "aria-label": words });
  }

  /** Pictures in three bytes a pixel, as canvases. @param {Uint8Array} data */
  readPictures(data) {
    const side = this.spec.picture;
    const size = side * side;
    return Array.from({ length: data.length / (3 * size) }, (_, n) => {
      const canvas = element("canvas", { width: side, height: side });
      const pen = brush(canvas);
      const image = pen.createImageData(side, side);
      for (let p = 0; p < size; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = data[3 * (n * size + p) + c];
        image.data[4 * p + 3] = 255;
      }
      pen.putImageData(image, 0, 0);
      return canvas;
    });
  }

  /** The controls, the list of keys under them, what is below, and hints for a full screen.
   * @param {HTMLElement} bar
   * @param {string} style
   * @param {HTMLElement[]} below
   */
  assemble(bar, style, ...below) {
    const { keys, words } = this.explained;
    this.help = new Help(keys, words);
    bar.append(
      this.button("Full screen", "Fill the screen (f)", () => this.present()),
      this.help.button,
    );
    const hints = keys.map(([name, what]) => `${name}  ${what}`).join("   ·   ");
    this.el.append(
      element("style", { textContent: style }),
      bar,
      this.help.panel,
      ...below,
      element("div", { className: "hints", textContent: hints }),
    );
    this.listen();
  }

  /** What every page hears. @returns {Record<string, () => void>} */
  get everywhere() {
    return {
      "?": () => this.help?.toggle(),
      f: () => this.present(),
    };
  }

  /** Fill the screen, or stop doing so. */
  present() {
    if (document.fullscreenElement === this.el) return void document.exitFullscreen();
    if (this.filling) return this.fill(false);
    const asked = document.fullscreenEnabled && this.el.requestFullscreen();
    if (!asked) return this.fill(true); // some phones and frames give the whole window at best
    return void asked.catch(() => this.fill(true));
  }

  /** @param {boolean} filling */
  fill(filling) {
    this.el.classList.toggle("fills", filling);
    this.redraw();
  }

  get filling() {
    return this.el.classList.contains("fills");
  }

  // --- what it listens to, until it is closed ----------------------------------------------------

  /** @param {EventTarget} target @param {string} kind @param {(event: any) => void} act */
  on(target, kind, act) {
    target.addEventListener(kind, act);
    this.cleanup.push(() => target.removeEventListener(kind, act));
  }

  /** The state, keys, the pointer, the page's size and theme, and coming into sight. */
  listen() {
    for (const name of this.traits) {
      const act = () => this.changed(name);
      this.state.on(`change:${name}`, act);
      this.cleanup.push(() => this.state.off(`change:${name}`, act));
    }
    this.on(this.el, "keydown", (event) => this.hearKey(event));
    // Notebook 7 takes keys on their way down, before the widget hears them; but none of these.
    // What has the focus must say so itself, and no longer when it is around what has the next key.
    /** @type {Element | undefined} */
    let marked;
    const spare = (/** @type {KeyboardEvent} */ event) => {
      marked?.removeAttribute(OURS);
      const target = /** @type {Element} */ (event.target);
      marked = this.el.contains(target) ? target : undefined;
      marked?.toggleAttribute(OURS, !goesOn(event));
    };
    window.addEventListener("keydown", spare, true);
    this.cleanup.push(() => window.removeEventListener("keydown", spare, true));
    this.on(this.canvas, "pointerdown", (event) => this.grab(event));
    this.on(this.canvas, "pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"])
      this.on(this.canvas, kind, () => this.drop());
    // Not `touch-action`: most of a canvas is there to be scrolled over.
    const hold = (/** @type {TouchEvent} */ event) => this.holdTouch(event);
    this.canvas.addEventListener("touchstart", hold, { passive: false });
    this.cleanup.push(() => this.canvas.removeEventListener("touchstart", hold));
    const again = () => this.redraw();
    this.on(this.el, "transitionend", again); // of the ink, however the theme has changed
    this.on(document, "fullscreenchange", () => this.fill(document.fullscreenElement === this.el));
    this.on(window.matchMedia("(prefers-color-scheme: dark)"), "change", again);
    const sizes = new ResizeObserver(again);
    const seen = new IntersectionObserver(again);
    const theme = new MutationObserver(again);
    sizes.observe(this.el);
    seen.observe(this.canvas);
    for (const node of [document.documentElement, document.body]) {
      theme.observe(node, { attributes: true });
    }
    this.cleanup.push(() => {
      for (const observer of [sizes, seen, theme]) observer.disconnect();
    });
  }

  /** Do what a key stands for; none may act on the notebook as well. @param {KeyboardEvent} event */
  hearKey(event) {
    if (goesOn(event)) return;
    event.stopPropagation();
    if (keeps(/** @type {any} */ (event.target), event.key)) return;
    const act = { ...this.keys(event), ...this.everywhere }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  }

  /** A finger on what one drags moves that, and not the page. @param {TouchEvent} event */
  holdTouch(event) {
    if (event.touches.length > 1) return;
    const { x, y } = this.at(event.touches[0]);
    if (this.grips(x, y)) event.preventDefault();
  }

  /** Where a pointer is on the canvas, as the layout counts. @param {{ clientX: number, clientY: number }} event */
  at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (clientX - box.left) / this.zoom, y: (clientY - box.top) / this.zoom };
  }

  /** The pointer is down on what turns: follow it wherever it goes. @param {PointerEvent} event */
  hold(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    event.preventDefault();
  }

  // --- the drawing -----------------------------------------------------------------------------

  /** Draw once before the next paint, however often it is asked for. */
  redraw() {
    this.nextFrame ??= requestAnimationFrame(() => {
      this.nextFrame = undefined;
      this.draw();
    });
  }

  /** Arrange the page and fit the canvases to it; false while hidden: the observers will ask again.
   * @param {number} most the largest width
   */
  fit(most) {
    if (!this.el.clientWidth) return false;
    const dots = Math.max(window.devicePixelRatio || 1, this.sharpness);
    const { zoom, width } = this.filling ? this.filled(most) : this.plain(most);
    const scale = dots * zoom;
    const ink = inkOf(this.el);
    const layout = this.arrange(width, window.innerHeight < SHORT);
    const before = JSON.stringify([this.layout, this.scale, this.ink]);
    if (before === JSON.stringify([layout, scale, ink])) return true;
    Object.assign(this, { layout, scale, zoom, ink, hues: huesFor(ink) });
    const { base, equivariant, plain } = this.hues;
    const [model, other] = [equivariant[0], plain[0]];
    const named = { ink, base, model, words: legible(model), other };
    for (const [name, hue] of Object.entries(named)) {
      this.el.style.setProperty(`--equivlab-${name}`, hue);
    }
    for (const canvas of this.canvases) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(layout.height * scale);
      canvas.style.width = `${width * zoom}px`;
      canvas.style.height = `${layout.height * zoom}px`;
    }
    this.fitted();
    return true;
  }

  /** As wide as the page; in a column narrower than any layout all of it, smaller.
   * @param {number} most
   */
  plain(most) {
    const width = this.el.clientWidth - 8;
    if (width >= LEAST_WIDTH) return { zoom: 1, width: Math.min(most, width) };
    return { zoom: Math.max(LEAST_ZOOM, width / LEAST_WIDTH), width: LEAST_WIDTH };
  }

  /** The width at which nothing is cut off and the type is the largest, or nearly so and the screen
   * fuller.
   * @param {number} most
   */
  filled(most) {
    const top = this.canvas.getBoundingClientRect().top - this.el.getBoundingClientRect().top;
    let below = HINTS;
    for (const node of this.el.querySelectorAll(".line, .numbers")) {
      below += node.getBoundingClientRect().height;
    }
    const { clientWidth, clientHeight } = this.el;
    // Under bars that take more than half of a low screen one scrolls.
    const [wide, high] = [clientWidth - 24, Math.max(clientHeight / 2, clientHeight - top - below)];
    const found = [];
    for (let width = NARROWEST; width <= most; width += 20) {
      const { height } = this.arrange(width, false);
      found.push({ width, zoom: Math.min(LARGEST_TYPE, wide / width, high / height) });
    }
    const largest = Math.max(...found.map(({ zoom }) => zoom));
    const nearly = found.filter(({ zoom }) => zoom >= NEARLY * largest);
    return nearly.reduce((a, b) => (b.zoom * b.width >= a.zoom * a.width ? b : a));
  }

  /** The colour of a network: its kind, and which of that kind it is. @param {[string, number]} role */
  hue([kind, n]) {
    const hues = kind === "equivariant" ? this.hues.equivariant : this.hues.plain;
    return hues[n % hues.length];
  }

  /** A pen for an empty canvas, in CSS pixels. */
  pen() {
    const pen = brush(this.canvas);
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.layout.width, this.layout.height);
    return pen;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {string} words
   * @param {number} x
   * @param {number} y
   * @param {TextStyle} style
   */
  text(pen, words, x, y, { font = FONT, colour = this.ink, align = "left", most } = {}) {
    Object.assign(pen, { font, fillStyle: legible(colour), textAlign: align, textBaseline: "top" });
    const share = most === undefined ? 1 : most / pen.measureText(words).width;
    if (share < 1) pen.font = smaller(font, share);
    pen.fillText(words, x, y, most);
  }

  /** A dashed line from top to bottom of a plot: where one is.
   * @param {CanvasRenderingContext2D} pen
   * @param {{ y: number, height: number }} box
   * @param {number} x
   */
  dashed(pen, box, x) {
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(x, box.y);
    pen.lineTo(x, box.y + box.height);
    pen.stroke();
    pen.setLineDash([]);
  }

  /** Save a picture of the canvas and `foot` rows more, with the page's background under it; fine
   * enough for print.
   * @param {string} name
   * @param {(pen: CanvasRenderingContext2D) => void} draw
   */
  saveAs(name, draw, foot = 0) {
    this.sharpness = PRINT;
    this.draw(); // WebGL keeps its picture only until the next paint
    const { width } = this.canvas;
    const height = this.canvas.height + Math.round(foot * this.scale);
    const copy = element("canvas", { width, height });
    const pen = brush(copy);
    pen.fillStyle = paperOf(this.el) ?? (isLight(this.ink) ? "#111111" : "white");
    pen.fillRect(0, 0, width, height);
    draw(pen);
    this.sharpness = 0;
    this.redraw();
    copy.toBlob((blob) => {
      if (!blob) return;
      const href = URL.createObjectURL(blob);
      const link = element("a", { href, download: `equivlab-${name}.png` });
      this.el.append(link); // VS Code saves what is clicked in its page
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
    });
  }

  close() {
    for (const undo of this.cleanup) undo();
    if (this.nextFrame !== undefined) cancelAnimationFrame(this.nextFrame);
    clearTimeout(this.saving);
  }
}

/** The pen of a canvas. @param {HTMLCanvasElement} canvas */
export function brush(canvas) {
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("This browser draws on no more canvases.");
  return pen;
}

/** A font in which words take less room; the page squeezes them only where it is the smallest.
 * @param {string} font
 * @param {number} share
 */
export const smaller = (font, share) =>
  font.replace(/[\d.]+px/, (size) => `${Math.max(LEAST_TYPE, Number.parseFloat(size) * share)}px`);

/** The angle of a point seen from another, counter-clockwise from the right, in degrees.
 * @param {{ x: number, y: number }} middle
 * @param {{ x: number, y: number }} point
 */
export const bearing = (middle, point) =>
  Math.atan2(middle.y - point.y, point.x - middle.x) / DEGREES;

/** What anywidget calls. @param {new (context: Context) => CanvasView} View */
export const page = (View) => ({
  /** @param {Context} context */
  render(context) {
    const view = new View(context);
    view.redraw();
    return () => view.close();
  },
});
