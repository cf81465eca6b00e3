// @ts-check
// What a widget stands on. Places differ: JupyterLab names its ink, VS Code puts widgets on white
// whatever its theme, Colab says in an attribute that it is dark. What is behind the words decides.

/** Marks of a page's first element and of its body by which a place says that it is dark, where no
 * colour stands behind a widget. */
const DARK = "[theme=dark]";
const DARK_BODY = ".vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)";
const CLEAR = /[,/] ?0\)$|^transparent$/;
const [BLACK, WHITE] = ["rgb(0, 0, 0)", "rgb(255, 255, 255)"];

/** The first colour behind an element; undefined where it is clear down to the window.
 * @param {Element} node
 */
export function paperOf(node) {
  /** @type {Element | null | undefined} */
  let at = node;
  while (at) {
    const paper = getComputedStyle(at).backgroundColor;
    if (!CLEAR.test(paper)) return paper;
    const root = /** @type {Partial<ShadowRoot>} */ (at.getRootNode());
    at = at.parentElement ?? root.host;
  }
  return undefined;
}

/** Whether a colour, as the browser writes it, is nearer to white than to black.
 * @param {string} colour
 */
export function isLight(colour) {
  const [r, g, b] = (colour.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
  return 0.3 * r + 0.6 * g + 0.1 * b > 128;
}

/** The ink that a place gives, or black or white where that could not be read.
 * @param {string} given
 * @param {string | undefined} paper
 * @param {boolean} dark whether the place says so, for paper that is not known
 */
export function inkOn(given, paper, dark) {
  if (paper === undefined) return dark && !isLight(given) ? WHITE : given;
  if (isLight(paper) !== isLight(given)) return given;
  return isLight(paper) ? BLACK : WHITE;
}

/** Whether the place says that it is dark. Asked at each frame, so nothing is searched for. */
const saysDark = () => document.documentElement.matches(DARK) || document.body.matches(DARK_BODY);

/** The ink of an element. @param {Element} node */
export const inkOf = (node) => inkOn(getComputedStyle(node).color, paperOf(node), saysDark());
