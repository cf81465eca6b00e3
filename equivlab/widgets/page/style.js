// @ts-check
// How every widget looks beside its canvases. Colours that a system forces on a page hide edges and
// shadows: there what is pressed is filled.

import { FONT } from "./elements.js";
import { HELP_STYLE } from "./help.js";

export const VIEW_STYLE = `
.equivlab-view { box-sizing: border-box; width: 100%; padding: 4px; min-width: 232px; outline: none;
  color: var(--jp-ui-font-color1, inherit); transition: color 1ms; }
.equivlab-view > * { color: var(--equivlab-ink, inherit); }
.equivlab-view .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center;
  padding: 4px 0 8px; max-width: 980px; font: ${FONT}; }
.equivlab-view button, .equivlab-view select { font: ${FONT}; color: inherit; padding: 3px 10px;
  cursor: pointer; background: transparent; border: 1px solid var(--equivlab-base);
  border-radius: 4px; }
.equivlab-view button[aria-pressed=true] { border-color: var(--equivlab-model);
  box-shadow: 0 0 0 1px var(--equivlab-model); }
.equivlab-view button[aria-disabled=true] { opacity: 0.45; cursor: default; }
.equivlab-view button[hidden] { display: none; }
.equivlab-view button.pick { padding: 2px; line-height: 0; }
.equivlab-view canvas { display: block; border-radius: 4px; }
.equivlab-view canvas[tabindex] { cursor: grab; }
.equivlab-view .spoken { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.equivlab-view .hints { display: none; font: ${FONT}; opacity: 0.8; padding: 6px 0; zoom: 1.3; }
.equivlab-view.fills { background: var(--jp-layout-color0, Canvas); overflow: auto; padding: 12px;
  position: fixed; inset: 0; z-index: 10000; }
.equivlab-view.fills .bar, .equivlab-view.fills .line, .equivlab-view.fills .numbers { zoom: 1.4; }
.equivlab-view.fills > canvas, .equivlab-view.fills > .pane, .equivlab-view.fills > .stage {
  margin-inline: auto; }
.equivlab-view.fills > .pane { width: fit-content; }
.equivlab-view.fills .hints { display: block; }
.equivlab-view canvas:focus-visible, .equivlab-view .bar :focus-visible {
  outline: 2px solid var(--equivlab-other); outline-offset: 2px; }
@media (forced-colors: active) {
  .equivlab-view button[aria-pressed=true] { forced-color-adjust: none; color: HighlightText;
    background: Highlight; border-color: Highlight; }
  .equivlab-view button.pick[aria-pressed=true] { outline: 3px solid Highlight; }
  .equivlab-view button[aria-disabled=true] { color: GrayText; border-color: GrayText; opacity: 1; }
}
${HELP_STYLE}`;
