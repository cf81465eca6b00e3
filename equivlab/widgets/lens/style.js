// @ts-check
// How the controls of SeeThrough look.

import { FONT } from "../page/elements.js";

export const LENS_STYLE = `
.equivlab-lens .bar { max-width: 1040px; }
.equivlab-lens option { color: CanvasText; background: Canvas; }
.equivlab-lens label { display: flex; align-items: center; gap: 8px; font: ${FONT}; }
.equivlab-lens .bar label { flex: 1 1 200px; max-width: 340px; }
.equivlab-lens input[type=range] { flex: 1 1 90px; min-width: 60px;
  accent-color: var(--equivlab-model); }
.equivlab-lens .value { min-width: 40px; font-variant-numeric: tabular-nums; }
.equivlab-lens .numbers { padding: 6px 8px; font: ${FONT}; max-width: 1024px; }
.equivlab-lens .grid { display: grid; gap: 6px 24px; padding-top: 8px;
  grid-template-columns: repeat(auto-fit, minmax(min(280px, 100%), 1fr)); }
.equivlab-lens .grid label span:first-child { flex: 0 0 124px; }
.equivlab-lens .grid .value { flex: 0 0 82px; }
.equivlab-lens .line { display: flex; flex-direction: column; gap: 4px; padding: 8px 8px 4px;
  font: ${FONT}; font-variant-numeric: tabular-nums; min-height: 36px; max-width: 1024px; }
.equivlab-lens .spoken { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
`;
