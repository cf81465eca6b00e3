// @ts-check
// Break the network on purpose: a menu, and beside the maps that shake, the cause that `audit` names.

import { describe, element } from "../page/elements.js";

const PATIENCE = 2000; // ms after which the page says that a kernel must do it

/** What each way of breaking is, in the menu. @type {Record<string, string>} */
const WAYS = {
  "": "nothing broken",
  stride: "stride on the wrong parity",
  padding: "padding on one side",
  bias: "a bias for each orientation",
  BatchNorm2d: "BatchNorm2d on the maps",
  slices: "orientations not permuted",
};

export class Switches {
  /** @param {import("../page/canvas_view.js").CanvasView} view */
  constructor(view) {
    this.view = view;
    this.menu = describe(element("select", { title: "Break the network" }), {
      "aria-label": "Break the network",
    });
    for (const [value, textContent] of Object.entries(WAYS)) {
      this.menu.append(element("option", { value, textContent }));
    }
    this.menu.addEventListener("change", () => this.choose(this.menu.value));
    this.said = describe(element("div", { className: "cause" }), { role: "status" });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.waiting = undefined;
    this.late = false;
  }

  /** @param {string} how */
  choose(how) {
    this.late = false;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.late = true;
      this.view.redraw();
    }, PATIENCE);
    this.view.set({ broken: how });
  }

  /** After each painting: the kernel's `_spec` says what the maps on show are of. */
  tell() {
    const { state, spec } = this.view;
    const how = state.get("broken");
    this.menu.hidden = !state.get("breakable");
    this.menu.value = how;
    let words = spec.cause;
    if (how !== spec.broken) words = this.late ? "no kernel answers: it must break it" : "…";
    if (this.said.textContent !== words) this.said.textContent = words;
  }

  close() {
    clearTimeout(this.waiting);
  }
}

export const SWITCH_STYLE = `
.equivlab-rotate .cause { padding: 0 0 8px; max-width: 760px; color: var(--equivlab-words);
  font: 13px system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif; }
.equivlab-rotate .cause:empty { display: none; }
.equivlab-rotate select[hidden] { display: none; }
.equivlab-rotate option { color: CanvasText; background: Canvas; }
`;
