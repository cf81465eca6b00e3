// @ts-check
// What RotateSphere looks like beside its canvases.

import { BOLD, FONT, SMALL } from "../page/elements.js";

export const SPHERE_STYLE = `
.equivlab-sphere .bar { gap: 12px; }
.equivlab-sphere option { color: CanvasText; background: Canvas; }
.equivlab-sphere .pane { position: relative; }
.equivlab-sphere .line { display: flex; flex-wrap: wrap; gap: 4px 28px; padding: 8px 16px 4px;
  font: ${FONT}; align-items: baseline; font-variant-numeric: tabular-nums; min-height: 20px; }
.equivlab-sphere .error { font: ${BOLD}; color: var(--equivlab-words); }
.equivlab-sphere .quiet { font: ${SMALL}; opacity: 0.75; }
.equivlab-sphere .quiet.trouble { color: var(--equivlab-words); opacity: 1; }
.equivlab-sphere .glass { position: absolute; pointer-events: none; }
.equivlab-sphere canvas[tabindex] { position: relative; }
`;
