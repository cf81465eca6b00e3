// @ts-check
// What anywidget gives to a page, where no Jupyter is: in exported pages, in tests, in the
// development page. The values that the page sets are kept; `kernel` answers questions, if any.

import { decoded } from "./packing.js";

/** Put the bytes of a widget's state into their places.
 * @param {Record<string, any>} values
 * @param {{ path: (string | number)[], data?: string, raw?: Uint8Array }[]} buffers in base64, or raw
 */
export function unpacked(values, buffers) {
  for (const { path, data, raw = decoded(data ?? "") } of buffers) {
    /** @type {any} */
    let place = values;
    for (const key of path.slice(0, -1)) place = place[key];
    place[path[path.length - 1]] = new DataView(raw.buffer);
  }
  return values;
}

/**
 * @param {Record<string, any>} values the state of the widget
 * @param {(name: string, message: any) => Promise<[any, DataView[]]>} [kernel]
 */
export function standIn(values, kernel) {
  /** @type {Record<string, ((...what: any[]) => void)[]>} */
  const heard = {};
  const model = {
    /** @param {string} name */
    get: (name) => values[name],
    /** @param {string} name @param {any} value */
    set: (name, value) => {
      values[name] = value;
      for (const act of [...(heard[`change:${name}`] ?? [])]) act();
    },
    /** @param {string} kinds @param {(...what: any[]) => void} act */
    on: (kinds, act) => {
      for (const kind of kinds.split(" ")) {
        heard[kind] ??= [];
        heard[kind].push(act);
      }
    },
    /** @param {string} kind @param {(...what: any[]) => void} act */
    off: (kind, act) => {
      heard[kind] = (heard[kind] ?? []).filter((one) => one !== act);
    },
    save_changes: () => {},
    send: () => {},
  };
  return { model, experimental: { invoke: kernel } };
}

/** Show a widget in an element; gives what closes it.
 * @param {any} page the widget's module
 * @param {ReturnType<typeof standIn>} context
 * @param {HTMLElement} el
 */
export async function show(page, context, el) {
  const found = page.default ?? page;
  const widget = typeof found === "function" ? await found() : found;
  await widget.initialize?.(context);
  return widget.render?.({ ...context, el });
}
