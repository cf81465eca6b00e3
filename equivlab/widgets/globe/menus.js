// @ts-check
// The menus of RotateSphere: the signal, the channel, γ.

import { describe, element } from "../page/elements.js";

/** The menus, with their labels. @param {any} view a view of RotateSphere @returns {HTMLElement[]} */
export function menusOf(view) {
  const { names, channels } = view.spec;
  const { steps } = view;
  const counted = (/** @type {number} */ count) => Array.from({ length: count }, (_, n) => n);
  const found = [menuOf(view, "signal", "Signal", names, counted(names.length))];
  if (channels.length > 1) {
    found.push(menuOf(view, "channel", "Channel", channels, counted(channels.length)));
  }
  if (steps > 1) {
    const angles = counted(steps).map((k) => `${Math.round((360 * k) / steps)}°`);
    found.push(menuOf(view, "gamma", "γ", ["maximum", ...angles], [-1, ...counted(steps)]));
  }
  return found;
}

/** @param {any} view @param {string} name @param {string} words @param {unknown[]} options
 * @param {number[]} values
 */
function menuOf(view, name, words, options, values) {
  const select = describe(element("select", { title: words }), { "aria-label": words });
  options.forEach((text, n) => {
    select.append(element("option", { textContent: String(text), value: String(values[n]) }));
  });
  select.addEventListener("change", () => view.set({ [name]: Number(select.value) }));
  view.selects[name] = select;
  return element("label", {}, `${words} `, select);
}
