// @ts-check
// Which keys go on to the notebook, and which a control keeps. All others act on the widget or on
// nothing: JupyterLab would delete a cell by "d d" and turn one into Markdown by "m".

/** Shortcuts of the browser, and the ways out: on to the next control, out of the widget, run.
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">} event
 */
export const goesOn = ({ key, ctrlKey, metaKey, altKey, shiftKey }) =>
  ctrlKey ||
  metaKey ||
  altKey ||
  key === "Tab" ||
  key === "Escape" ||
  (key === "Enter" && shiftKey);

/** Whether a control does something of its own with a key.
 * @param {{ tagName?: string, type?: string }} control
 * @param {string} key
 */
export function keeps({ tagName, type }, key) {
  if (tagName === "BUTTON") return key === " " || key === "Enter";
  return tagName === "SELECT" || (tagName === "INPUT" && type !== "range");
}
