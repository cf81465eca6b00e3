// @ts-check
// What TrainLive says: the numbers of a moment, how the training stands, and what the "?" tells.

/** @typedef {import("../page/help.js").Rows} Rows */

/** @param {number | null | undefined} share */
export const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(1)} %`);

/** @param {number | undefined} loss */
export const lossWords = (loss) =>
  loss === undefined ? "–" : String(Number(loss.toPrecision(loss < 0.01 ? 2 : 3)));

/** The loss that was known at a step. @param {[number, number][]} losses @param {number} step */
export const lossAt = (losses, step) => (losses.find(([end]) => end >= step) ?? losses.at(-1))?.[1];

/** @param {number} step @param {{ steps: number, epochs: number }} run */
export const momentWords = (step, { steps, epochs }) =>
  `step ${step} of ${steps * epochs}, epoch ${(step / steps).toFixed(1)} of ${epochs}`;

/** How the training stands.
 * @param {{ phase: string, problem: string, silent: boolean, playing: boolean }} now
 */
export function phaseWords({ phase, problem, silent, playing }) {
  const ended = { done: "trained to the end", stopped: "stopped", failed: "failed" }[phase];
  const because = problem ? `: ${problem}` : "";
  if (playing) return "playing what was seen";
  if (ended) return ended + because;
  if (silent && phase === "ready") return "no kernel answers: nothing trains here";
  if (silent) return `no kernel answers: this was seen while it trained`;
  if (phase === "ready") return "not trained yet";
  return phase + because;
}

/** What the first button does. @param {string} phase @param {boolean} recorded @param {boolean} playing */
export function buttonWords(phase, recorded, playing) {
  if (recorded) return playing ? "Pause" : "Play";
  return { training: "Pause", paused: "Go on" }[phase] ?? "Train";
}

/** @param {{ angles: number[], tests: number, which: number, layer: string, epochs: number }} spec
 * @returns {{ keys: Rows, words: Rows }}
 */
export function explainedTraining({ angles, tests, which, layer }) {
  const by = angles.map((angle) => `${Number(angle.toFixed(1))}°`).join(", ");
  return {
    keys: [
      ["Space", "train and pause; where nothing trains, play what was seen"],
      ["s", "one step"],
      ["x", "stop; the network keeps what it has learned"],
      ["→ ←", "go through what was seen; with Shift by ten"],
      ["r", "back to the newest"],
    ],
    words: [
      ["loss", "the mean cross-entropy of the batches since the point before"],
      ["upright", `the share of ${tests} test images that it gets right as they are`],
      ["turned", `the same of these images turned by ${by}, one after the other`],
      ["first filters", "of the first layer with weights, on its first channel"],
      [
        "maps",
        `what layer ${layer || "–"} gives for test image ${which}: a row a channel, a column an orientation; red above zero, blue below`,
      ],
      [
        "looks",
        "cost at most a twenty-fifth of the time trained; so some steps were not looked at",
      ],
    ],
  };
}
