// @ts-check
// Errors against the angle of rotations in space: a dot for every rotation that came with the page
// or was turned to.

import { brush } from "./canvas_view.js";
import { BOLD, element, SMALL } from "./elements.js";

const KEEP = 400; // rotations remembered

/**
 * @typedef {{ angle: number, error: number, colour: string }} Dot
 * @typedef {{ angle: number, errors: (number | undefined)[], baseline?: number }} Seen
 */

/** Errors against the angle, for one shape at a time; kept, since most paints only turn the shape. */
export class Dots {
  /**
   * @param {import("./canvas_view.js").CanvasView} view its layout has a box `curve`
   * @param {Seen[][]} seen of each input, what came with the page
   */
  constructor(view, seen) {
    this.view = view;
    this.seen = seen.map((one) => [...one]);
    this.recorded = seen.map((one) => one.length);
    this.state = "";
    this.most = 1;
    this.canvas = element("canvas");
  }

  /** @param {number} input @param {Seen} found */
  add(input, found) {
    const seen = this.seen[input];
    seen.push(found);
    if (seen.length > this.recorded[input] + KEEP) seen.splice(this.recorded[input], 1);
  }

  /** @param {CanvasRenderingContext2D} pen
   * @param {number} input
   * @param {Seen} now
   * @param {string[]} colours of the networks
   * @param {boolean} resampled whether the baseline says anything
   */
  draw(pen, input, now, colours, resampled) {
    const { x, y, width, height } = this.view.layout.curve;
    const { scale, ink, layout, hues } = this.view;
    const seen = this.seen[input];
    const last = seen[seen.length - 1]?.angle;
    const state = [input, seen.length, last, layout.width, scale, ink].join();
    if (this.state !== state) this.paint(input, colours);
    this.state = state;
    pen.drawImage(this.canvas, 0, y - 24, this.canvas.width / scale, this.canvas.height / scale);
    /** @param {number | undefined} error @param {string} colour @param {number} radius */
    const dot = (error, colour, radius) => {
      if (error === undefined) return;
      const across = (width * now.angle) / 180;
      const up = height * (1 - Math.min(error, this.most) / this.most);
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x + across, y + up, radius, 0, 7);
      pen.fill();
    };
    if (resampled) dot(now.baseline, hues.base, 4.5);
    colours.forEach((colour, n) => {
      dot(now.errors[n], colour, 5.5);
    });
  }

  /** @param {number} input @param {string[]} colours */
  paint(input, colours) {
    const { view } = this;
    const { x, y, width, height } = view.layout.curve;
    /** @type {Dot[]} */
    const dots = this.seen[input].flatMap(({ angle, errors, baseline }) => [
      ...(baseline === undefined ? [] : [{ angle, error: baseline, colour: view.hues.base }]),
      ...errors.map((error = Infinity, n) => ({ angle, error, colour: colours[n] })),
    ]);
    const finite = dots.map(({ error }) => error).filter(Number.isFinite);
    this.most = 1.1 * Math.max(0.01, ...finite); // what is exact lies on the line
    this.canvas.width = Math.ceil((x + width + 20) * view.scale);
    this.canvas.height = Math.ceil((height + 54) * view.scale);
    const pen = brush(this.canvas);
    pen.setTransform(view.scale, 0, 0, view.scale, 0, (24 - y) * view.scale);
    const title = width < 160 ? "error by angle" : "relative error against the angle";
    view.text(pen, title, x - 44, y - 22, { font: BOLD, most: width + 40 });
    this.axes(pen);
    pen.globalAlpha = 0.45;
    // Squares: there are many, and circles are slow.
    for (const { angle, error, colour } of dots) {
      const left = x + (width * angle) / 180;
      const top = y + height * (1 - Math.min(error, this.most) / this.most);
      pen.fillStyle = colour;
      pen.fillRect(left - 1.75, top - 1.75, 3.5, 3.5);
    }
  }

  /** @param {CanvasRenderingContext2D} pen */
  axes(pen) {
    const { view, most } = this;
    const { x, y, width, height } = view.layout.curve;
    Object.assign(pen, { strokeStyle: view.hues.base, lineWidth: 1 });
    pen.strokeRect(x, y, width, height);
    for (const value of [0, Number((most / 2).toPrecision(1))]) {
      const at = y + height * (1 - value / most) - 7;
      view.text(pen, String(value), x - 6, at, { font: SMALL, align: "right" });
    }
    for (let angle = 0; angle <= 180; angle += width < 240 ? 90 : 45) {
      const at = x + (width * angle) / 180;
      pen.beginPath();
      pen.moveTo(at, y + height);
      pen.lineTo(at, y + height + 4);
      pen.stroke();
      view.text(pen, `${angle}°`, at, y + height + 7, { font: SMALL, align: "center" });
    }
  }
}
