// @ts-check
// What the pages share that turn pictures by one angle: the handle, the slider, the keys, and
// curves over the angle. All frames are here already: turning asks nothing of the kernel.

import { bearing, CanvasView } from "./canvas_view.js";
import { bytes, DEGREES, describe, element, SMALL } from "./elements.js";

export const CURVE_HEIGHT = 130;

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ values: (number | undefined)[], colour: string, dash: number[] }} Line
 */

/** The frame nearest to an angle, whatever the angle. @param {number} angle @param {number} steps */
export const frameOf = (angle, steps) => {
  const frame = Math.round((angle * steps) / 360) % steps || 0; // no angle: 0
  return (frame + steps) % steps;
};

const PULL = 2.5; // degrees

/** A hand that is near an element of the group, where the law is exact, means it.
 * @param {number} angle
 * @param {number} turns of the group
 */
export const magnetic = (angle, turns = 4) => {
  const element = (360 / turns) * Math.round((angle * turns) / 360);
  return Math.abs(angle - element) <= PULL ? element : angle;
};

/** A picture in a circle, or not `round`; `turn` counter-clockwise after `mirror`, or both undone.
 * A `rim` in some colour shows where a black picture ends on a black page.
 * @param {CanvasRenderingContext2D} pen
 * @param {CanvasImageSource} picture
 * @param {number} x
 * @param {number} y
 * @param {number} side
 */
export function drawDisc(
  pen,
  picture,
  x,
  y,
  side,
  { turn = 0, mirror = false, undo = false, round = true, rim = "" } = {},
) {
  const edge = new Path2D();
  if (round) edge.arc(x + side / 2, y + side / 2, side / 2, 0, 2 * Math.PI);
  else edge.rect(x, y, side, side);
  pen.save();
  pen.clip(edge);
  pen.translate(x + side / 2, y + side / 2);
  if (undo) {
    if (mirror) pen.scale(-1, 1);
    pen.rotate(turn);
  } else {
    pen.rotate(-turn);
    if (mirror) pen.scale(-1, 1);
  }
  pen.drawImage(picture, -side / 2, -side / 2, side, side);
  pen.restore();
  if (!rim) return;
  Object.assign(pen, { strokeStyle: rim, lineWidth: 1 });
  pen.stroke(edge);
}

/** Pictures under one angle. A page adds `hub`, where a handle may be taken, `arrange` and `draw`. */
export class TurningView extends CanvasView {
  /** @param {import("./canvas_view.js").Context} context @param {string} kind */
  constructor(context, kind) {
    super(context, kind);
    this.el.classList.add("equivlab-turning");
    this.pictures = this.readPictures(bytes(this.state.get("_pictures")));
    this.slider = element("input", { type: "range" });
    this.flip = this.button("Mirror", "Mirror (m)", () => this.flipOver());
    this.curveBox = { x: 0, y: 0, width: 0, height: 0 };
    /** @type {Point | undefined} */
    this.held = undefined;
    this.onCurve = false;
    this.offset = 0;
  }

  // --- the state -------------------------------------------------------------------------------

  get traits() {
    return ["angle_deg", "mirror"];
  }

  get mirror() {
    return this.state.get("mirror") && this.spec.mirrors > 1;
  }

  get grain() {
    return 360 / this.spec.steps;
  }

  get step() {
    return frameOf(this.state.get("angle_deg"), this.spec.steps);
  }

  /** Of the frame on show: what is computed, and its numbers, belong to this angle. */
  get angle() {
    return this.step * this.grain;
  }

  /** Of the input, which turns smoothly between frames; to whole degrees, or as its frame. */
  get freeAngle() {
    const given = this.state.get("angle_deg") % 360 || 0;
    const onFrame = Math.abs(((given - this.angle + 540) % 360) - 180) < 0.01;
    const angle = onFrame ? this.angle : Math.round(given);
    return (angle + 360) % 360;
  }

  /** By how much an arrow key turns with Shift: 90°, or the first turn of a group without that. */
  get stride() {
    const turns = this.spec.turns ?? 4;
    return turns % 4 ? 360 / turns : 90;
  }

  get frame() {
    return (this.mirror ? this.spec.steps : 0) + this.step;
  }

  get pose() {
    const [angle, near] = [this.freeAngle, this.angle].map((one) => Number(one.toFixed(1)));
    const between = angle === near ? "" : ` (computed: ${near}°)`;
    return `${angle}°${this.mirror ? ", mirrored" : ""}${between}`;
  }

  /** To whole degrees. @param {number} angle */
  turnTo(angle) {
    const whole = Math.round(angle) % 360 || 0;
    this.set({ angle_deg: (whole + 360) % 360 });
  }

  /** To where a hand is, or to an element of the group close by. @param {number} angle */
  turnByHand(angle) {
    const meant = magnetic(angle, this.spec.turns);
    if (meant === angle) this.turnTo(angle);
    else this.turnToFrame(meant);
  }

  /** To the nearest frame. @param {number} angle */
  turnToFrame(angle) {
    this.set({ angle_deg: frameOf(angle, this.spec.steps) * this.grain });
  }

  reset() {
    this.set({ angle_deg: 0, mirror: false });
  }

  flipOver() {
    this.set({ mirror: !this.mirror });
  }

  /** The middle of what may be turned at a point. @returns {Point | undefined}
   * @param {number} _x
   * @param {number} _y
   */
  hub(_x, _y) {
    return undefined;
  }

  // --- the controls ----------------------------------------------------------------------------

  /** The canvas, and above it a bar: the slider, the buttons, and what the page adds.
   * @param {string} what
   * @param {HTMLElement[]} more
   */
  build(what, ...more) {
    describe(this.canvas, {
      role: "slider",
      "aria-label": `Angle of the ${what}, in degrees. Arrow keys turn it.`,
      "aria-valuemin": 0,
      "aria-valuemax": 360,
    });
    describe(this.slider, {
      min: 0,
      max: 359,
      step: 1,
      "aria-label": "Angle in degrees",
    });
    this.flip.title = `Mirror the ${what} (m)`;
    const reset = this.button("Reset", "Back to 0° (r)", () => this.reset());
    const bar = element("div", { className: "bar" }, this.slider, reset);
    if (this.spec.mirrors > 1) bar.append(this.flip);
    bar.append(
      this.button("PNG", "Save this picture", () => this.save()),
      ...more,
    );
    this.assemble(bar, TURNING_STYLE, this.canvas);
    this.on(this.slider, "input", () => this.turnTo(Number(this.slider.value)));
  }

  /** @param {KeyboardEvent} event */
  keys(event) {
    const by = event.shiftKey ? this.stride : this.grain;
    const on = () => this.turnToFrame(this.angle + by);
    const back = () => this.turnToFrame(this.angle - by);
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: on,
      ArrowUp: on,
      ArrowLeft: back,
      ArrowDown: back,
      ".": () => this.turnTo(Math.floor(this.freeAngle + 1)),
      ",": () => this.turnTo(Math.ceil(this.freeAngle - 1)),
      Home: () => this.turnTo(0),
      End: () => this.turnToFrame(360 - this.grain),
      r: () => this.reset(),
    };
    if (this.spec.mirrors > 1) acts.m = () => this.flipOver();
    return acts;
  }

  /** @returns {{ keys: import("./help.js").Rows, words: import("./help.js").Rows }} */
  get explained() {
    /** @type {import("./help.js").Rows} */
    const keys = [
      [
        "→ ←",
        `turn by ${Number(this.grain.toFixed(2))}° to the left (counter-clockwise), to the right`,
      ],
      ["Shift", `with an arrow: by ${Number(this.stride.toFixed(1))}°`],
      [". ,", "turn by 1°: the input goes on, what is computed jumps from frame to frame"],
      ["r", "back to 0°"],
    ];
    if (this.spec.mirrors > 1) keys.push(["m", "mirror, and back"]);
    return { keys, words: [] };
  }

  /** After each painting: say where it stands, to the controls, to readers and to tests. */
  tellControls() {
    const angle = this.freeAngle;
    if (Number(this.slider.value) !== Math.round(angle)) this.slider.value = String(angle);
    describe(this.canvas, {
      "aria-valuenow": Number(angle.toFixed(1)),
      "aria-valuetext": this.pose,
    });
    describe(this.flip, { "aria-pressed": Boolean(this.mirror) });
    this.painted += 1;
    this.canvas.dataset.painted = String(this.painted);
  }

  save() {
    this.saveAs(`${Number(this.freeAngle.toFixed(1))}deg`, (pen) =>
      pen.drawImage(this.canvas, 0, 0),
    );
  }

  // --- the handle ------------------------------------------------------------------------------

  /** @param {number} x @param {number} y */
  onCurves(x, y) {
    const curve = this.curveBox;
    return y > curve.y - 8 && x >= curve.x - 8 && x <= curve.x + curve.width + 8;
  }

  /** @param {number} x @param {number} y */
  grips(x, y) {
    return this.onCurves(x, y) || this.hub(x, y) !== undefined;
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const { x, y } = this.at(event);
    if (this.onCurves(x, y)) {
      this.onCurve = true;
    } else {
      this.held = this.hub(x, y);
      if (!this.held) return;
      this.offset = this.freeAngle - bearing(this.held, { x, y });
    }
    this.hold(event);
    this.drag(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const point = this.at(event);
    if (this.onCurve) {
      const angle = (360 * (point.x - this.curveBox.x)) / this.curveBox.width;
      this.turnToFrame(Math.max(0, Math.min(360 - this.grain, angle)));
    } else if (this.held) {
      this.turnByHand(bearing(this.held, point) + this.offset);
    }
  }

  drop() {
    this.held = undefined;
    this.onCurve = false;
  }

  // --- the curves ------------------------------------------------------------------------------

  /** Curves over the angle in `curveBox`; a line has one value a step.
   * @param {CanvasRenderingContext2D} pen
   * @param {Line[]} lines
   * @param {number} most
   * @param {[number, string][]} ticks
   */
  drawCurves(pen, lines, most, ticks) {
    const box = this.curveBox;
    const { steps } = this.spec;
    /** @param {number} step @param {number} value @returns {[number, number]} */
    const place = (step, value) => [
      box.x + (box.width * step) / steps,
      box.y + box.height * (1 - Math.min(value, most) / most),
    ];
    this.drawAxes(pen, box, most, ticks);
    for (const { values, colour, dash } of lines) {
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.setLineDash(dash);
      pen.beginPath();
      for (let s = 0; s <= steps; s++) {
        const value = values[s % steps];
        if (value !== undefined) pen.lineTo(...place(s, value));
      }
      pen.stroke();
      pen.setLineDash([]);
      const now = values[this.step];
      if (now === undefined) continue;
      const [x, y] = place(this.step, now);
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x, y, 4, 0, 7);
      pen.fill();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {{ x: number, y: number, width: number, height: number }} box
   * @param {number} most
   * @param {[number, string][]} ticks
   */
  drawAxes(pen, box, most, ticks) {
    pen.strokeStyle = this.hues.base;
    pen.lineWidth = 1;
    pen.strokeRect(box.x, box.y, box.width, box.height);
    for (const [value, words] of ticks) {
      const y = box.y + box.height * (1 - value / most);
      this.text(pen, words, box.x - 6, y - 7, { font: SMALL, align: "right" });
    }
    for (let angle = 0; angle <= 360; angle += box.width < 320 ? 90 : 45) {
      const x = box.x + (box.width * angle) / 360;
      pen.beginPath();
      pen.moveTo(x, box.y + box.height);
      pen.lineTo(x, box.y + box.height + 4);
      pen.stroke();
      this.text(pen, `${angle}°`, x, box.y + box.height + 7, { font: SMALL, align: "center" });
    }
    this.dashed(pen, box, box.x + (box.width * this.step) / this.spec.steps);
  }

  /** The turn of the input, and of the frame on show, in radians. */
  get turn() {
    return this.freeAngle * DEGREES;
  }

  get computedTurn() {
    return this.angle * DEGREES;
  }
}

const TURNING_STYLE = `
.equivlab-turning .bar { max-width: 1100px; }
.equivlab-turning input[type=range] { flex: 1 1 160px; max-width: 420px;
  accent-color: var(--equivlab-model); }
`;
