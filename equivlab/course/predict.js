// @ts-check
// A box for a prediction. What was found is added to the page only when one is committed.

const STYLE = `
.equivlab-predict { font: inherit; color: inherit; max-width: 60em; }
.equivlab-predict form { display: flex; gap: 0.5em; align-items: flex-end; flex-wrap: wrap; }
.equivlab-predict label { flex: 1 1 18em; font-weight: 600; }
.equivlab-predict textarea { display: block; box-sizing: border-box; width: 100%; margin-top: 4px; font: inherit; font-weight: 400; color: inherit;
  background: transparent; border: 1px solid currentColor; border-radius: 4px; padding: 4px 8px; }
.equivlab-predict button { font: inherit; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 4px; padding: 4px 12px; cursor: pointer; }
.equivlab-predict button:disabled { opacity: 0.5; cursor: default; }
.equivlab-predict :focus-visible { outline: 3px solid #d55e00; outline-offset: 2px; }
.equivlab-predict [tabindex="-1"]:focus-visible { outline: none; }
.equivlab-predict blockquote { margin: 0 0 0.8em; padding-left: 0.8em;
  border-left: 4px solid #d55e00; white-space: pre-wrap; }
.equivlab-predict pre { white-space: pre-wrap; font-family: monospace; background: none; }
.equivlab-predict img { max-width: 100%; background: white; }`;

/** @typedef {{ kind: string, data: string }} Part */

/** One output. @param {Part} part */
function element({ kind, data }) {
  if (kind === "png") {
    return Object.assign(document.createElement("img"), {
      src: `data:image/png;base64,${data}`,
      alt: "the figure that the cell above draws",
    });
  }
  const made = document.createElement(kind === "html" ? "div" : "pre");
  if (kind === "html") made.innerHTML = data;
  else made.textContent = data;
  return made;
}

/** The box and its button. @param {any} model @param {() => void} commit */
function ask(model, commit) {
  const form = document.createElement("form");
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("textarea"), { rows: 1 });
  const button = Object.assign(document.createElement("button"), { textContent: "Commit" });
  button.title = "Commit, and see what it is (Enter)";
  label.append(model.get("question"), box);
  const update = () => {
    button.disabled = !box.value.trim();
  };
  box.value = model.get("prediction");
  box.addEventListener("input", update);
  box.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the page around has keys of its own
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    model.set("prediction", box.value.trim());
    model.set("committed", true);
    model.save_changes();
    commit();
  });
  update();
  form.append(label, button);
  return form;
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "equivlab-predict";
  const style = Object.assign(document.createElement("style"), { textContent: STYLE });
  const found = document.createElement("div");
  found.setAttribute("aria-live", "polite");
  found.tabIndex = -1;
  el.append(style, root);

  const show = () => {
    const said = document.createElement("blockquote");
    said.textContent = `You predicted: ${model.get("prediction")}`;
    found.replaceChildren(said, ...model.get("_parts").map(element));
    root.replaceChildren(found);
  };
  const commit = () => {
    show();
    found.focus();
  };
  if (model.get("committed")) show();
  else root.append(ask(model, commit), found);
}

export default { render };
