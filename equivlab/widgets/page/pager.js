// @ts-check
// Many channels, a few at a time: two buttons, PageDown and PageUp, and words that are spoken.

import { describe, element, within } from "./elements.js";

/**
 * @typedef {object} Book
 * @property {number} pages
 * @property {string} [trait] the state that says which: `page`
 * @property {string} what is on a page, for the buttons: "channels"
 * @property {(page: number) => string} words of one page: "channels 5 to 8 of 250"
 */

export class Pager {
  /** @param {import("./canvas_view.js").CanvasView} view @param {Book} book */
  constructor(view, { pages, what, words, trait = "page" }) {
    this.view = view;
    this.trait = trait;
    this.pages = pages;
    this.words = words;
    this.before = view.button(`‹ ${what}`, `The ${what} before (PageUp)`, () => this.leaf(-1));
    this.after = view.button(`${what} ›`, `The next ${what} (PageDown)`, () => this.leaf(1));
    this.said = describe(element("span", { className: "said" }), { role: "status" });
  }

  /** What belongs into the bar. @returns {HTMLElement[]} */
  get controls() {
    return this.pages > 1 ? [this.before, this.said, this.after] : [];
  }

  get page() {
    return within(this.view.state.get(this.trait), this.pages);
  }

  /** @param {number} by */
  leaf(by) {
    const page = within(this.page + by, this.pages);
    if (page !== this.page) this.view.set({ [this.trait]: page });
  }

  /** @returns {Record<string, () => void>} */
  get keys() {
    if (this.pages < 2) return {};
    return { PageDown: () => this.leaf(1), PageUp: () => this.leaf(-1) };
  }

  /** @returns {import("./help.js").Rows} */
  get help() {
    return this.pages < 2 ? [] : [["PageDown PageUp", "the next page, and the one before"]];
  }

  /** After each painting. A button that ends keeps the focus, so it is not `disabled`. */
  tell() {
    describe(this.before, { "aria-disabled": this.page === 0 });
    describe(this.after, { "aria-disabled": this.page === this.pages - 1 });
    const words = this.words(this.page);
    if (this.said.textContent !== words) this.said.textContent = words;
  }
}
