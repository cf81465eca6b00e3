// What the pages of all widgets share: a view on the state, drawn on canvases. A widget has one
// module, so its Python file puts this in front of its own page, and nothing is exported.

const FONT = "13px system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif";
const SMALL = FONT.replace("13px", "12px");
const BOLD = `600 ${FONT}`;
const MODEL = "#d55e00", OTHER = "#0072b2", BASE = "#777777"; // Okabe & Ito
const DEGREES = Math.PI / 180;

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const element = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

/** The state, the controls and the drawing; a page adds what is its own, `draw` at the least. */
class CanvasView {
  constructor({ model: state, el }, kind) {
    this.state = state;
    this.el = el;
    this.spec = state.get("_spec");
    this.painted = 0;
    this.cleanup = [];
    this.el.replaceChildren(element("style", { textContent: VIEW_STYLE }));
    this.el.classList.add("equivlab-view", kind);
  }

  /** Change the state, and tell the kernel now and then. */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.state.set(name, value);
    this.saving ??= setTimeout(() => {
      this.saving = undefined;
      this.state.save_changes();
    }, 150);
  }

  button(text, title, act) {
    const node = element("button", { textContent: text, title, type: "button" });
    node.addEventListener("click", act);
    return node;
  }

  /** A button with a small picture on it. */
  pick(picture, words, act) {
    const node = this.button("", words, act);
    node.className = "pick";
    node.setAttribute("aria-label", words);
    node.append(picture);
    return node;
  }

  /** Pictures in three bytes a pixel, as canvases. */
  readPictures(data) {
    const side = this.spec.picture, size = side * side;
    return Array.from({ length: data.length / (3 * size) }, (_, n) => {
      const canvas = element("canvas", { width: side, height: side });
      const pen = canvas.getContext("2d"), image = pen.createImageData(side, side);
      for (let p = 0; p < size; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = data[3 * (n * size + p) + c];
        image.data[4 * p + 3] = 255;
      }
      pen.putImageData(image, 0, 0);
      return canvas;
    });
  }

  // --- what it listens to, until it is closed ----------------------------------------------

  on(target, kind, act) {
    target.addEventListener(kind, act);
    this.cleanup.push(() => target.removeEventListener(kind, act));
  }

  onState(kind, act) {
    this.state.on(kind, act);
    this.cleanup.push(() => this.state.off(kind, act));
  }

  /** Keys, the pointer, the page's size, and coming into sight. */
  listen() {
    this.on(this.canvas, "keydown", (event) => this.key(event));
    this.on(this.canvas, "pointerdown", (event) => this.grab(event));
    this.on(this.canvas, "pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"]) this.on(this.canvas, kind, () => this.drop());
    const sizes = new ResizeObserver(() => this.redraw());
    sizes.observe(this.el);
    const seen = new IntersectionObserver(() => this.redraw());
    seen.observe(this.canvas);
    this.cleanup.push(() => sizes.disconnect(), () => seen.disconnect());
  }

  /** Do what a key stands for, unless it is a shortcut of the browser. */
  actOn(event, acts) {
    if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    acts[event.key]();
    event.preventDefault();
    event.stopPropagation(); // JupyterLab's own keys must not act as well
  }

  /** The pointer is down on what turns: follow it wherever it goes. */
  hold(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    event.preventDefault();
  }

  // --- the drawing -----------------------------------------------------------------------

  /** Draw once before the next paint, however often it is asked for. */
  redraw() {
    this.nextFrame ??= requestAnimationFrame(() => {
      this.nextFrame = undefined;
      this.draw();
    });
  }

  /** Give canvases the size of the layout; false while hidden: the observers will ask again. */
  fitTo(most, arrange, canvases) {
    if (!this.el.clientWidth) return false;
    const width = Math.max(320, Math.min(most, this.el.clientWidth - 8));
    const scale = window.devicePixelRatio || 1;
    if (this.layout?.width === width && this.scale === scale) return true;
    this.layout = arrange(width);
    this.scale = scale;
    for (const canvas of canvases) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(this.layout.height * scale);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${this.layout.height}px`;
    }
    this.fitted();
    return true;
  }

  /** After a change of size. */
  fitted() {}

  /** A pen for an empty canvas, in CSS pixels. */
  pen() {
    const pen = this.canvas.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.layout.width, this.layout.height);
    this.ink = getComputedStyle(this.el).color;
    return pen;
  }

  text(pen, words, x, y, { font = FONT, colour = this.ink, align = "left", most } = {}) {
    Object.assign(pen, { font, fillStyle: colour, textAlign: align, textBaseline: "top" });
    pen.fillText(words, x, y, most);
  }

  /** Save a picture of the canvas and `foot` rows more, with the page's background under it. */
  saveAs(name, draw, foot = 0) {
    const { width, height } = this.canvas;
    const copy = element("canvas", { width, height: height + foot }), pen = copy.getContext("2d");
    let node = this.el, paper = "rgba(0, 0, 0, 0)";
    while (node && /, 0\)$|^transparent$/.test(paper)) {
      paper = getComputedStyle(node).backgroundColor;
      node = node.parentElement;
    }
    pen.fillStyle = /, 0\)$|^transparent$/.test(paper) ? "white" : paper;
    pen.fillRect(0, 0, width, height + foot);
    draw(pen);
    copy.toBlob((blob) => {
      const link = element("a", { href: URL.createObjectURL(blob), download: `equivlab-${name}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  close() {
    for (const undo of this.cleanup) undo();
    cancelAnimationFrame(this.nextFrame);
    clearTimeout(this.saving);
  }
}

const VIEW_STYLE = `
.equivlab-view { box-sizing: border-box; width: 100%; padding: 4px; min-width: 320px;
  color: var(--jp-ui-font-color1, CanvasText); }
.equivlab-view .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center;
  padding: 4px 0 8px; max-width: 980px; font: ${FONT}; }
.equivlab-view button, .equivlab-view select { font: ${FONT}; color: inherit; padding: 3px 10px;
  cursor: pointer; background: transparent; border: 1px solid ${BASE}; border-radius: 4px; }
.equivlab-view button[aria-pressed=true] { border-color: ${MODEL};
  box-shadow: 0 0 0 1px ${MODEL}; }
.equivlab-view button.pick { padding: 2px; line-height: 0; }
.equivlab-view canvas { display: block; border-radius: 4px; }
.equivlab-view canvas[tabindex] { touch-action: none; cursor: grab; }
.equivlab-view :focus-visible { outline: 2px solid ${OTHER}; outline-offset: 2px; }
`;

/** What anywidget calls. */
const page = (View) => ({
  render(context) {
    const view = new View(context);
    view.redraw();
    return () => view.close();
  },
});
