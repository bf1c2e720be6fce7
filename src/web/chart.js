// @ts-check
// @ts-types="./uplot.d.ts"
import uPlot from "./uplot.js";
import { formatCount, formatLoss } from "./format.js";
import { byId, setText } from "./dom.js";
import { align, lastPoint, smooth } from "./series.js";

/** @import { Series } from "./types.d.ts" */
/** @typedef {{ train: Series, validation: Series, maxSteps: number }} Losses */

const BATCH = 1, TRAIN = 2, VALIDATION = 3;

/** The loss curves of one run: each step's loss as faint points, their average and the validation losses as lines. */
export class LossChart {
  #root = byId("chart", HTMLDivElement);
  #empty = byId("chart-empty", HTMLElement);
  #step = byId("at-step", HTMLOutputElement);
  #log = byId("log-steps", HTMLInputElement);
  #readout = [BATCH, TRAIN, VALIDATION].map((series) =>
    byId(["at-batch", "at-train", "at-val"][series - 1], HTMLOutputElement)
  );
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {Losses | null} */
  #losses = null;

  constructor() {
    this.#log.addEventListener("change", () => this.#rebuild());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#root);
  }

  /** Draws `losses`; nothing is done when the curves are the ones already drawn. @param {Losses} losses */
  draw(losses) {
    const drawn = this.#losses;
    if (drawn !== null && drawn.train === losses.train && drawn.validation === losses.validation) return;
    this.#losses = losses;
    const bare = losses.train.steps.length === 0 && losses.validation.steps.length === 0;
    this.#root.hidden = bare;
    this.#empty.hidden = !bare;
    if (this.#plot === null) this.#rebuild();
    else this.#plot.setData(this.#columns());
    this.#root.setAttribute("aria-label", describe(losses));
    this.#showValues();
  }

  #rebuild() {
    this.#plot?.destroy();
    this.#plot = this.#losses === null ? null : new uPlot(this.#options(), this.#columns(), this.#root);
  }

  #size() {
    const width = Math.max(200, this.#root.clientWidth);
    return { width, height: Math.round(Math.min(340, Math.max(220, width * 0.55))) };
  }

  /** @returns {import("uplot").AlignedData} steps, then each curve with gaps where it has no point */
  #columns() {
    const { train, validation, maxSteps } = /** @type {Losses} */ (this.#losses);
    const smoothed = smooth(train, Math.max(2, maxSteps / 100));
    const { steps, columns } = align(
      { steps: train.steps, columns: [train.values, smoothed] },
      { steps: validation.steps, columns: [validation.values] },
    );
    // Step 0, where only a validation loss can be, has no place on a logarithmic axis.
    const from = this.#log.checked && steps[0] === 0 ? 1 : 0;
    return [steps.slice(from), ...columns.map((column) => column.slice(from))];
  }

  /** @returns {import("uplot").Options} */
  #options() {
    const color = (/** @type {string} */ name) => () => getComputedStyle(this.#root).getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(this.#root).fontFamily}`;
    const axis = { stroke: color("--muted"), font, ticks: { show: false } };
    return {
      ...this.#size(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: {
          time: false,
          distr: this.#log.checked ? 3 : 1,
          range: (_plot, min, max) => min === null ? [1, 10] : [min, Math.max(max, min + 1)],
        },
      },
      axes: [
        {
          ...axis,
          size: 32,
          grid: { show: false },
          values: (_plot, splits) => splits.map((step) => step === null ? "" : formatCount(step)),
        },
        { ...axis, size: 44, grid: { stroke: color("--line"), width: 1 } },
      ],
      series: [
        {},
        {
          paths: () => null,
          points: { show: true, size: 3, width: 0, fill: color("--batch") },
          stroke: color("--batch"),
        },
        { stroke: color("--train"), width: 2, pxAlign: 0, spanGaps: true, points: { show: false } },
        {
          stroke: color("--val"),
          width: 2,
          pxAlign: 0,
          spanGaps: true,
          points: { show: true, size: 6, fill: color("--val") },
        },
      ],
      hooks: { setCursor: [() => this.#showValues()] },
    };
  }

  /** The legend's values: those under the cursor, else the last of each curve. */
  #showValues() {
    const plot = this.#plot;
    if (plot === null) return;
    const at = plot.cursor.idx ?? plot.data[0].length - 1;
    setText(this.#step, formatCount(plot.data[0][at]));
    for (const series of [BATCH, TRAIN, VALIDATION]) {
      let i = at;
      while (i >= 0 && plot.data[series][i] == null) i--;
      setText(this.#readout[series - 1], i < 0 ? "" : formatLoss(plot.data[series][i]));
    }
  }
}

/** The chart in words, for those who do not see it. @param {Losses} losses */
function describe({ train, validation }) {
  const curves = /** @type {const} */ ([["Training", train], ["Validation", validation]]);
  const said = curves.map(([name, curve]) => {
    const last = lastPoint(curve);
    if (last === null) return `${name}: no points yet`;
    const points = curve.steps.length;
    return `${name}: ${formatCount(points)} points, the last ${formatLoss(last.value)} at step ${
      formatCount(last.step)
    }`;
  });
  return `Loss over steps. ${said.join(". ")}.`;
}
