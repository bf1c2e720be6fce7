// @ts-check
import { LossChart } from "./chart.js";
import { byId, setText } from "./dom.js";
import { formatCompact, formatCount, formatDuration, formatLoss, formatNumberOf, formatRate } from "./format.js";
import { shapeName } from "./presets.js";
import { drawCheckpoints, drawSamples } from "./run_products.js";
import { adviceFor } from "./advice.js";
import { explain, inWords } from "./words.js";

/** @import { Run, RunStatus } from "./types.d.ts" */
/** @import { Selection } from "./store.js" */
/** @typedef {"pause" | "resume" | "cancel"} Action */

/** The first button's action, by the run's status; in another status there is nothing to pause or resume. @type {Partial<Record<RunStatus, { action: Action, label: string }>>} */
const TOGGLE = {
  queued: { action: "pause", label: "Pause" },
  running: { action: "pause", label: "Pause" },
  paused: { action: "resume", label: "Resume" },
};

const text = (/** @type {string} */ id) => byId(id, HTMLElement);

/** The selected run: readings, curve, samples, checkpoints, and what can be done with it. */
export class RunView {
  #chart = new LossChart();
  #progress = byId("run-progress", HTMLProgressElement);
  /** One button for pause and resume: the focus stays on it. */
  #toggle = byId("toggle-run", HTMLButtonElement);
  #cancel = byId("cancel-run", HTMLButtonElement);
  #again = byId("start-again", HTMLButtonElement);
  /** Status at the time of an action that the trainer has not carried out yet. @type {RunStatus | null} */
  #pendingFrom = null;
  /** Why the last action was refused. @type {string | null} */
  #refusal = null;
  /** The run as it was drawn last. @type {Run | null} */
  #run = null;

  /**
   * @param {{ act(action: Action): Promise<void>, startAgain(run: Run, learningRate: number): void, readAgain(): void }} on
   *   `act` rejects with the reason an action was refused
   */
  constructor(on) {
    for (const button of [this.#toggle, this.#cancel]) {
      button.addEventListener("click", () => this.#act(button, on.act));
    }
    this.#again.addEventListener("click", () => {
      if (this.#run !== null) on.startAgain(this.#run, adviceFor(this.#run).learningRate);
    });
    byId("read-again", HTMLButtonElement).addEventListener("click", () => on.readAgain());
  }

  /** @param {HTMLButtonElement} button @param {(action: Action) => Promise<void>} act */
  async #act(button, act) {
    // Not `disabled`: a button that is loses the focus.
    if (button.ariaDisabled === "true" || this.#run === null) return;
    const action = /** @type {Action} */ (button.dataset.action);
    if (action === "cancel" && !confirm("Cancel this run? It cannot be resumed; its checkpoints stay.")) return;
    this.#refusal = null;
    this.#wait(this.#run.status);
    try {
      await act(action);
    } catch (error) {
      this.#wait(null);
      this.#refusal = explain(error);
      if (this.#run !== null) this.#drawProblem(this.#run, null);
    }
  }

  /** @param {RunStatus | null} pendingFrom */
  #wait(pendingFrom) {
    this.#pendingFrom = pendingFrom;
    for (const button of [this.#toggle, this.#cancel]) button.ariaDisabled = String(pendingFrom !== null);
  }

  /**
   * @param {Run} run
   * @param {Selection} selection
   */
  draw(run, selection) {
    if (this.#run?.id !== run.id) {
      this.#refusal = null;
      this.#wait(null);
    }
    this.#run = run;
    setText(text("run-name"), run.name);
    setText(text("run-shape"), shapeOf(run));
    this.#drawStatus(run);
    this.#drawReadings(run, selection.history?.etaSeconds ?? null);
    this.#drawProblem(run, selection.problem);
    this.#drawHistory(run, selection);
  }

  /** @param {Run} run @param {number | null} etaSeconds */
  #drawReadings(run, etaSeconds) {
    const metrics = run.last_metrics ?? {};
    const rate = run.config.optimizer.learning_rate;
    const now = metrics["train/lr"];
    this.#progress.max = run.max_steps;
    this.#progress.value = run.step;
    setText(text("step"), formatCount(run.step));
    setText(text("max-steps"), formatCount(run.max_steps));
    setText(text("train-loss"), formatLoss(metrics["train/loss"]));
    setText(text("val-loss"), formatLoss(metrics["val/loss"]));
    setText(text("tokens-per-second"), formatCompact(metrics["train/tokens_per_second"]));
    setText(text("learning-rate"), formatRate(rate));
    setText(
      text("learning-rate-now"),
      now == null ? "" : `${run.finished_at === null ? "now" : "last"} ${formatRate(now)}`,
    );
    // Time left while it runs, then time taken.
    const over = run.finished_at !== null && run.started_at !== null;
    setText(text("time-label"), over ? "Took" : "Time left");
    const left = run.status === "running" ? etaSeconds : null;
    setText(text("time"), formatDuration(over ? secondsBetween(run.started_at, run.finished_at) : left));
    const skipped = run.skipped_steps;
    text("skipped").hidden = skipped === 0;
    setText(
      text("skipped"),
      `${formatNumberOf(skipped, "step")} left out: the gradient was not finite, so the weights stayed as they were.`,
    );
  }

  /** The curve, the samples and the checkpoints; until they are here, why they are not. @param {Run} run @param {Selection} selection */
  #drawHistory(run, { history, checkpoints, problem }) {
    const bare = history === null || (history.train.lastStep === 0 && history.validation.steps.length === 0);
    const empty = text("chart-empty");
    empty.hidden = !bare;
    setText(
      empty,
      history !== null ? whyNoCurve(run) : problem === null ? "Reading the curve…" : "No curve: it could not be read.",
    );
    this.#chart.hide(bare);
    for (const id of ["samples-section", "checkpoints-section"]) text(id).hidden = history === null;
    if (history === null) return;
    if (!bare) this.#chart.draw({ train: history.train, validation: history.validation, maxSteps: run.max_steps });
    drawSamples(history.samples, run);
    drawCheckpoints(checkpoints, run);
  }

  /** @param {Run} run */
  #drawStatus(run) {
    const status = text("run-status");
    if (status.dataset.status !== run.status) this.#refusal = null;
    status.dataset.status = run.status;
    setText(status, run.status);
    if (this.#pendingFrom !== null && this.#pendingFrom !== run.status) this.#wait(null);
    const toggle = TOGGLE[run.status];
    const hadFocus = document.activeElement === this.#toggle || document.activeElement === this.#cancel;
    for (const button of [this.#toggle, this.#cancel]) button.hidden = toggle === undefined;
    if (toggle !== undefined) {
      this.#toggle.dataset.action = toggle.action;
      setText(this.#toggle, toggle.label);
    } else if (hadFocus) {
      text("run-name").focus({ preventScroll: true }); // the button under it is gone
    }
  }

  /** Why the run failed and how it may go better; why an action was refused; why it could not be read. @param {Run} run @param {unknown} problem */
  #drawProblem(run, problem) {
    const error = text("run-error");
    const said = this.#refusal ?? (run.error === null ? null : inWords(run.error));
    error.hidden = said === null;
    setText(error, said ?? "");
    const { label, learningRate } = adviceFor(run);
    this.#again.hidden = run.status !== "failed";
    setText(this.#again, label === null ? "Start again" : `Start again with ${formatRate(learningRate)}`);
    text("run-problem").hidden = problem === null;
    setText(text("run-problem-text"), problem === null ? "" : `This run could not be read. ${explain(problem)}`);
  }
}

/** @param {Run} run without a point */
function whyNoCurve({ status }) {
  switch (status) {
    case "failed":
    case "cancelled":
    case "succeeded":
      return "No curve: the run ended before its first step.";
    default:
      return "The curve begins with the first step.";
  }
}

/** @param {string | null} from @param {string | null} to ISO 8601 */
const secondsBetween = (from, to) => from === null || to === null ? null : (Date.parse(to) - Date.parse(from)) / 1000;

/** @param {Run} run */
function shapeOf({ config, parameters }) {
  const { model, tokenizer } = config;
  return [
    `${shapeName(config)}: ${model.architecture} with ${formatCompact(parameters)} parameters`,
    formatNumberOf(model.n_layer, "layer"),
    formatNumberOf(model.n_head, "head"),
    `${formatCount(model.n_embd)} wide`,
    `context ${formatCount(config.context_length)}`,
    `batch ${formatCount(config.batch_size)}`,
    `${tokenizer.kind} vocabulary of ${formatCount(tokenizer.vocab_size)}`,
  ].join(" · ");
}
