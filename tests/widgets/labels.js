// @ts-check
// For tests: where every word of a page stands, those of canvases included. Run before the page's
// own code; `labelsOf(element)` lists the words that are seen, `faultsOf` what is wrong with them.

(() => {
  /** @typedef {{ words: string, x: number, y: number, width: number, height: number, squeezed: number }} Label */
  /** @type {WeakMap<HTMLCanvasElement, Label[]>} */
  const written = new WeakMap();
  const { fillText, clearRect, drawImage } = CanvasRenderingContext2D.prototype;

  /** A box in the layout of a canvas, as its pixels. @param {DOMMatrix} m @param {Label} label */
  const through = (m, label) => {
    const [a, b] = [
      m.transformPoint({ x: label.x, y: label.y }),
      m.transformPoint({ x: label.x + label.width, y: label.y + label.height }),
    ];
    const [width, height] = [b.x - a.x, b.y - a.y];
    return { ...label, x: a.x, y: a.y, width, height };
  };

  /** @param {HTMLCanvasElement} canvas @param {Label} label */
  const note = (canvas, label) => written.set(canvas, [...(written.get(canvas) ?? []), label]);

  /** @param {string} words @param {number} x @param {number} y @param {number} [most] */
  CanvasRenderingContext2D.prototype.fillText = function (words, x, y, most = 1e6) {
    fillText.call(this, words, x, y, most);
    if (!words.trim()) return;
    const found = this.measureText(words);
    const width = Math.min(found.width, most);
    const left = { center: width / 2, right: width, left: 0, start: 0, end: width }[this.textAlign];
    const box = { x: x - left, y: y - found.actualBoundingBoxAscent, width };
    const height = found.actualBoundingBoxAscent + found.actualBoundingBoxDescent;
    const label = { words, ...box, height, squeezed: found.width / width };
    note(this.canvas, through(this.getTransform(), label));
  };
  /** @param {number} x @param {number} y @param {number} w @param {number} h */
  CanvasRenderingContext2D.prototype.clearRect = function (x, y, w, h) {
    clearRect.call(this, x, y, w, h);
    written.delete(this.canvas);
  };
  const { get, set } = /** @type {any} */ (
    Object.getOwnPropertyDescriptor(HTMLCanvasElement.prototype, "width")
  );
  Object.defineProperty(HTMLCanvasElement.prototype, "width", {
    get,
    set(value) {
      set.call(this, value);
      written.delete(this);
    },
  });
  // A canvas drawn on another takes its words along.
  CanvasRenderingContext2D.prototype.drawImage = function (/** @type {any[]} */ ...given) {
    drawImage.apply(this, /** @type {any} */ (given));
    const [source, x, y, wide = source.width, high = source.height] = given;
    if (!(source instanceof HTMLCanvasElement) || given.length > 5) return;
    for (const label of written.get(source) ?? []) {
      const [across, down] = [wide / source.width, high / source.height];
      const box = { x: x + label.x * across, y: y + label.y * down };
      const size = { width: label.width * across, height: label.height * down };
      note(this.canvas, through(this.getTransform(), { ...label, ...box, ...size }));
    }
  };

  /** @param {Element} element @returns {Label[]} */
  const labelsOf = (element) => {
    /** @type {Label[]} */
    const found = [];
    for (const canvas of element.querySelectorAll("canvas")) {
      const at = canvas.getBoundingClientRect();
      if (!at.width || getComputedStyle(canvas).visibility === "hidden") continue;
      const scale = at.width / canvas.width;
      for (const { words, squeezed, ...box } of written.get(canvas) ?? []) {
        const [x, y] = [at.x + box.x * scale, at.y + box.y * scale];
        const inside =
          box.x > -1.5 && box.y > -1.5 && box.x + box.width < canvas.width + 1.5 &&
          box.y + box.height < canvas.height + 1.5; // biome-ignore format: one condition
        const size = { width: box.width * scale, height: box.height * scale };
        found.push({ words, x, y, ...size, squeezed: inside ? squeezed : Infinity });
      }
    }
    for (const node of element.querySelectorAll(
      "button, select, label, .said, .cause, .line span",
    )) {
      const { x, y, width, height } = node.getBoundingClientRect();
      const words = node.textContent || node.getAttribute("aria-label") || "";
      if (!width || (node.tagName === "LABEL" && node.querySelector("select"))) continue;
      const cut = node.scrollWidth > node.clientWidth + 1 && node.tagName === "BUTTON";
      found.push({ words, x, y, width, height, squeezed: cut ? Infinity : 1 });
    }
    return found;
  };

  /** What a reader could not read: cut, squeezed, one over another, or outside the window.
   * @param {Element} element
   */
  const faultsOf = (element) => {
    const labels = labelsOf(element);
    const faults = labels.flatMap(({ words, squeezed, x, width }) => {
      if (squeezed === Infinity) return [`cut: ${words}`];
      if (squeezed > 1.5) return [`squeezed ${squeezed.toFixed(2)}: ${words}`];
      return x < -1 || x + width > innerWidth + 1 ? [`outside: ${words}`] : [];
    });
    labels.forEach((a, n) => {
      for (const b of labels.slice(0, n)) {
        const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
        const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
        if (across > 1.5 && down > 1.5) faults.push(`one over another: ${a.words} | ${b.words}`);
      }
    });
    return faults;
  };
  Object.assign(window, { labelsOf, faultsOf });
})();
