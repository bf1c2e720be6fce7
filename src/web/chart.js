// @ts-check
// @ts-types="./uplot.d.ts"
import uPlot from "./uplot.js";
import { byId, setText } from "./dom.js";
import { pointsOf, smoothed } from "./buckets.js";
import { formatCount, formatLoss, formatNumberOf, formatTick } from "./format.js";
import { align, lastPoint } from "./series.js";

/** @import { Curve } from "./buckets.js" */
/** @import { Series } from "./types.d.ts" */
/** @typedef {{ train: Curve, validation: Series, maxSteps: number }} Losses */

/** Columns of the plot after the steps. */
const LOW = 1, HIGH = 2, TRAIN = 3, VALIDATION = 4;
/** The smoothed line is the mean over a fiftieth of the run: 601 steps of 30,000. */
const HALF_WINDOW = 1 / 100;
/** Steps that an axis may be divided by: whole ones. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
const KEYS = new Map([["ArrowLeft", -1], ["ArrowRight", 1], ["Home", -Infinity], ["End", Infinity]]);
const REST_MS = 600;

/**
 * The loss curves of one run: what a step's loss may be (its points, or in long runs the band from the least to the
 * greatest loss of a bucket), the mean of those losses, and the validation losses.
 */
export class LossChart {
  #root = byId("chart", HTMLDivElement);
  #spoken = byId("chart-values", HTMLElement);
  #step = byId("at-step", HTMLElement);
  #log = byId("log-steps", HTMLInputElement);
  #key = byId("key-batch", HTMLElement);
  #readout = ["at-train", "at-val"].map((id) => byId(id, HTMLElement));
  #range = byId("at-batch", HTMLElement);
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {Losses | null} */
  #losses = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  constructor() {
    this.#log.addEventListener("change", () => this.#rebuild());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#root);
    this.#root.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Draws `losses`; nothing is done when the curves are the ones already drawn. @param {Losses} losses */
  draw(losses) {
    const drawn = this.#losses;
    if (drawn !== null && drawn.train === losses.train && drawn.validation === losses.validation) return;
    this.#losses = losses;
    if (this.#plot === null || drawn?.train.width !== losses.train.width) this.#rebuild();
    else this.#plot.setData(this.#columns());
    this.#root.setAttribute("aria-label", describe(losses));
    this.#showValues();
  }

  /** @param {boolean} hidden */
  hide(hidden) {
    this.#root.hidden = hidden;
  }

  #rebuild() {
    this.#plot?.destroy();
    if (this.#losses === null) return;
    const { width } = this.#losses.train;
    setText(this.#key, width === 1 ? "each step" : "least to greatest");
    this.#key.parentElement?.toggleAttribute("data-band", width > 1);
    this.#key.title = width === 1 ? "" : `of ${formatNumberOf(width, "step")}`;
    this.#plot = new uPlot(this.#options(width), this.#columns(), this.#root);
  }

  #size() {
    const width = Math.max(200, this.#root.clientWidth);
    return { width, height: Math.round(Math.min(340, Math.max(220, width * 0.55))) };
  }

  /** @returns {import("uplot").AlignedData} steps, then each curve with gaps where it has no point */
  #columns() {
    const { train, validation, maxSteps } = /** @type {Losses} */ (this.#losses);
    const { at, mean, min, max } = smoothed(train, Math.max(2, Math.round(maxSteps * HALF_WINDOW)));
    const { steps, columns } = align(
      { steps: at, columns: [min, max, mean] },
      { steps: validation.steps, columns: [validation.values] },
    );
    // Step 0, where only a validation loss can be, has no place on a logarithmic axis.
    const from = this.#log.checked && steps[0] === 0 ? 1 : 0;
    return [steps.slice(from), ...columns.map((column) => column.slice(from))];
  }

  /** @param {number} width of the curve's buckets @returns {import("uplot").Options} */
  #options(width) {
    const color = (/** @type {string} */ name) => () => getComputedStyle(this.#root).getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(this.#root).fontFamily}`;
    const axis = { stroke: color("--muted"), font, ticks: { show: false } };
    const dots = { show: width === 1, size: 3, width: 0, fill: color("--batch") };
    const edge = { paths: width === 1 ? () => null : undefined, stroke: "transparent", width: 0, spanGaps: true };
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
          incrs: WHOLE,
          grid: { show: false },
          values: (_plot, splits) => splits.map((step) => step === null || step % 1 !== 0 ? "" : formatCount(step)),
        },
        {
          ...axis,
          size: (plot, values) => widestOf(plot, values, font),
          values: (_plot, splits) => splits.map((value) => value === null ? "" : formatTick(value)),
          grid: { stroke: color("--line"), width: 1 },
        },
      ],
      series: [
        {},
        { ...edge, points: { show: false } },
        { ...edge, points: dots },
        { stroke: color("--train"), width: 2, pxAlign: 0, spanGaps: true, points: { show: false } },
        {
          stroke: color("--val"),
          width: 2,
          pxAlign: 0,
          spanGaps: true,
          points: { show: true, size: 6, fill: color("--val") },
        },
      ],
      bands: width === 1 ? [] : [{ series: [HIGH, LOW], fill: color("--band") }],
      hooks: { setCursor: [() => this.#showValues()] },
    };
  }

  /** The legend's values: those under the cursor, else the last of each curve. */
  #showValues() {
    const plot = this.#plot;
    if (plot === null) return;
    const at = plot.cursor.idx ?? plot.data[0].length - 1;
    const valueOf = (/** @type {number} */ column) => {
      let i = at;
      while (i >= 0 && plot.data[column][i] == null) i--;
      return i < 0 ? "" : formatLoss(plot.data[column][i]);
    };
    const step = plot.data[0][at];
    setText(this.#step, step === undefined ? "" : formatCount(Math.round(step)));
    const [low, high] = [valueOf(LOW), valueOf(HIGH)];
    setText(this.#range, low === high ? low : `${low} to ${high}`);
    [TRAIN, VALIDATION].forEach((column, i) => setText(this.#readout[i], valueOf(column)));
  }

  /** The arrow keys move the cursor, ten times as far with Shift; the values under it are spoken once it rests. @param {KeyboardEvent} event */
  #move(event) {
    const direction = KEYS.get(event.key);
    const plot = this.#plot;
    if (plot === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return plot.setCursor({ left: -10, top: -10 });
    if (direction === undefined) return;
    event.preventDefault();
    const last = plot.data[0].length - 1;
    const from = plot.cursor.idx ?? last;
    const to = Math.max(0, Math.min(last, from + direction * (event.shiftKey ? 10 : 1)));
    plot.setCursor({ left: plot.valToPos(plot.data[0][to], "x"), top: 0 });
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      const [train, validation] = this.#readout.map((shown) => shown.textContent);
      setText(
        this.#spoken,
        `Step ${this.#step.textContent}: training ${train}, validation ${validation || "none yet"}`,
      );
    }, REST_MS);
  }
}

/**
 * As wide as its widest label, so that none is cut.
 * @param {uPlot} plot
 * @param {string[] | null} values null before there are any
 * @param {string} font
 */
function widestOf(plot, values, font) {
  if (values === null) return 44;
  const { ctx } = plot;
  ctx.save();
  ctx.font = font; // in CSS pixels, as the size is
  const widest = Math.max(0, ...values.map((value) => ctx.measureText(value ?? "").width));
  ctx.restore();
  return Math.max(44, Math.ceil(widest) + 14);
}

/** The chart in words, for those who do not see it. @param {Losses} losses */
function describe({ train, validation }) {
  const at = lastPoint(validation);
  const last = smoothed(train, 1).mean.at(-1);
  const curves = [
    train.lastStep === 0
      ? "Training: no points yet"
      : `Training: ${formatCount(pointsOf(train))} points up to step ${formatCount(train.lastStep)}, now about ${
        formatLoss(last)
      }`,
    at === null
      ? "Validation: no points yet"
      : `Validation: ${formatCount(validation.steps.length)} points, the last ${formatLoss(at.value)} at step ${
        formatCount(at.step)
      }`,
  ];
  return `Loss over steps. ${curves.join(". ")}. The arrow keys move along the curve.`;
}
