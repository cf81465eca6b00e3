// @ts-check
// Colours keep their meaning in all widgets: equivariant networks are orange, plain ones blue.
// `page/palette.py` has the same for stills. After Okabe and Ito, lighter on dark pages.

import { isLight } from "./paper.js";

/** @typedef {{ base: string, equivariant: string[], plain: string[] }} Hues */

/** @type {{ light: Hues, dark: Hues }} */
export const HUES = {
  light: {
    base: "#6e6e6e",
    equivariant: ["#d55e00", "#a06a00", "#a8447f", "#8a3b12"],
    plain: ["#0072b2", "#00806a", "#5b4bb0", "#3d6f8f"],
  },
  dark: {
    base: "#a8a8a8",
    equivariant: ["#f58a42", "#e6b422", "#e08cc0", "#d9a282"],
    plain: ["#5fb8ee", "#3cc4a4", "#a99cf0", "#9cc3da"],
  },
};

/** Words in a colour that is too light for them on white. @type {Record<string, string>} */
const DARKER = { "#d55e00": "#b85000" };

/** A colour as words have it: with a contrast of 4.5 to a white page or a dark one.
 * @param {string} colour
 */
export const legible = (colour) => DARKER[colour] ?? colour;

/** The colours that go with an ink, as the browser writes it: `rgb(r, g, b)`.
 * @param {string} ink
 */
export const huesFor = (ink) => (isLight(ink) ? HUES.dark : HUES.light);
