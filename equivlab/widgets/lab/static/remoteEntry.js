// @ts-check
// An extension of JupyterLab and Notebook 7, by hand: where a saved widget belongs to a kernel that
// is gone, they write "model not found", though the notebook holds a still picture of it. It stands
// there instead, with how to bring the widget to life.

const LOST = "Error displaying widget: model not found";
const LOADING = "Loading widget...";
const PATIENCE = 3000; // ms; without a kernel it would load for ever
const VIEW = "application/vnd.jupyter.widget-view+json";
const HINT = "A still picture: the kernel that this widget belongs to is gone. Run the cell";

/** What a node says, if it says nothing else. @param {Node} node */
const words = (node) =>
  node.childNodes.length === 1 && node.firstChild?.nodeType === 3 ? node.textContent : "";

/** All that the notebook holds of the output in which a node stands.
 * @param {any} app
 * @param {Node} node
 * @returns {Record<string, any> | undefined}
 */
function dataOf(app, node) {
  const output = node.parentElement?.closest(".jp-OutputArea-child");
  for (const panel of app.shell.widgets("main")) {
    const cell = panel.content?.widgets?.find((/** @type {any} */ one) => one.node?.contains(node));
    const area = cell?.outputArea;
    const outputs = [...(area?.node.children ?? [])].filter((one) =>
      one.classList.contains("jp-OutputArea-child"),
    );
    const place = output ? outputs.indexOf(output) : -1;
    if (place >= 0) return area.model.get(place)?.data;
  }
  return undefined;
}

/** Put the picture into the place of the words. @param {any} app @param {Element} node */
function showStill(app, node) {
  const said = words(node);
  if (said !== LOST && said !== LOADING) return;
  const data = dataOf(app, node);
  if (!data?.[VIEW] || !data["image/png"]) return;
  const picture = document.createElement("img");
  const text = [data["text/plain"] ?? "a widget"].flat().join("");
  Object.assign(picture, { src: `data:image/png;base64,${data["image/png"]}`, alt: text });
  picture.style.maxWidth = "100%";
  const hint = document.createElement("div");
  hint.textContent = `${HINT} (Shift+Enter) to bring it to life.`;
  hint.style.cssText = "font: 13px system-ui, sans-serif; padding: 4px 0;";
  const figure = document.createElement("div");
  figure.className = "equivlab-still";
  figure.append(picture, hint);
  node.replaceChildren(figure); // the manager clears it if the widget comes after all
}

/** @param {any} app @param {Element} node */
function look(app, node) {
  const said = words(node);
  if (said === LOST) showStill(app, node);
  if (said === LOADING) setTimeout(() => showStill(app, node), PATIENCE);
}

const plugin = {
  id: "equivlab:stills",
  description: "Shows the last picture of widgets whose kernel is gone.",
  autoStart: true,
  /** @param {any} app */
  activate(app) {
    new MutationObserver((records) => {
      for (const { target, addedNodes } of records) {
        if (target instanceof Element) look(app, target);
        for (const added of addedNodes) {
          if (!(added instanceof Element)) continue;
          for (const node of added.querySelectorAll(".jp-OutputArea-output")) look(app, node);
        }
      }
    }).observe(document.body, { childList: true, subtree: true });
  },
};

/** @type {any} */
const page = window;
page._JUPYTERLAB ??= {};
page._JUPYTERLAB.equivlab = {
  init: () => {},
  get: async () => () => ({ __esModule: true, default: plugin }),
};
