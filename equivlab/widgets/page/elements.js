// @ts-check
// Small things that all pages use: elements, fonts, bytes and numbers.

export const FONT = "13px system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif";
export const SMALL = FONT.replace("13px", "12px");
export const BOLD = `600 ${FONT}`;
export const DEGREES = Math.PI / 180;

/** The bytes of what came from the kernel. @param {DataView | ArrayBuffer} view */
export const bytes = (view) =>
  view instanceof ArrayBuffer
    ? new Uint8Array(view)
    : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** The same bytes in a buffer of their own, aligned for numbers of any size.
 * @param {DataView | ArrayBuffer} view
 */
export const aligned = (view) => bytes(view).slice().buffer;

/** An element with properties and children.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} attributes
 * @param {(Node | string)[]} children
 */
export const element = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

/** Set attributes, such as those that readers of the screen hear.
 * @template {Element} E
 * @param {E} node
 * @param {Record<string, unknown>} attributes
 */
export const describe = (node, attributes) => {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
};

/** A relative error in words; a dash where none is known.
 * @param {number | undefined} value
 */
export const errorWords = (value) => {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value < 1e-5 ? "0 (exact)" : Number(value.toPrecision(2)).toString();
};

/** Errors as they came through JSON, which has no infinity. @param {(number | null)[]} row */
export const numbers = (row) => row.map((value) => value ?? Infinity);

/** A whole number from 0 to `count` − 1. @param {number} value @param {number} count */
export const within = (value, count) => Math.max(0, Math.min(count - 1, Math.trunc(value) || 0));
