// @ts-check
// One "?" in every widget: all its keys, and what its words mean.

import { describe, element, FONT } from "./elements.js";

/** @typedef {[string, string][]} Rows a key or a word, and what it does or means */

/** What every widget hears. @type {Rows} */
const EVERYWHERE = [
  ["f", "fill the screen, in large type; Escape leaves it"],
  ["?", "show or hide this list"],
];

/** A list that opens and closes. */
export class Help {
  /** @param {Rows} keys @param {Rows} words */
  constructor(keys, words) {
    const list = element("dl");
    for (const [name, what] of [...keys, ...EVERYWHERE]) {
      const parts = name.split(" ").map((key) => element("kbd", { textContent: key }));
      list.append(element("dt", {}, ...parts), element("dd", { textContent: what }));
    }
    for (const [name, what] of words) {
      list.append(element("dt", { textContent: name }), element("dd", { textContent: what }));
    }
    this.panel = element("div", { className: "help", hidden: true }, list);
    describe(this.panel, { role: "region", "aria-label": "Keys and words", tabindex: -1 });
    this.button = element("button", { textContent: "?", type: "button" });
    describe(this.button, { title: "All keys and words (?)", "aria-label": "Help" });
    describe(this.button, { "aria-expanded": false });
    this.button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    this.panel.hidden = !this.panel.hidden;
    describe(this.button, { "aria-expanded": !this.panel.hidden });
  }
}

export const HELP_STYLE = `
.equivlab-view .help { font: ${FONT}; max-width: 640px; padding: 8px 12px; margin: 0 0 8px;
  border: 1px solid var(--equivlab-base); border-radius: 4px; box-sizing: border-box; }
.equivlab-view .help[hidden] { display: none; }
.equivlab-view .help dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 14px;
  margin: 0; }
.equivlab-view .help dt { font-weight: 600; max-width: 150px; }
.equivlab-view .help dd { margin: 0; }
.equivlab-view .help kbd { font: 12px ui-monospace, monospace; padding: 1px 5px; margin-right: 4px;
  border: 1px solid var(--equivlab-base); border-radius: 3px; }
`;
