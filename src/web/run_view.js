// @ts-check
import { LossChart } from "./chart.js";
import { byId, setText } from "./dom.js";
import { formatCompact, formatCount, formatDuration, formatLoss, formatRate } from "./format.js";
import { drawCheckpoints, drawSamples } from "./run_products.js";
import { lastPoint } from "./series.js";

/** @import { Checkpoint, Run, RunStatus } from "./types.d.ts" */
/** @import { RunHistory } from "./run_state.js" */
/** @typedef {"pause" | "resume" | "cancel"} Action */

/**
 * Where each action means something; the service answers 409 elsewhere.
 * @type {Record<Action, RunStatus[]>}
 */
const ACTION_FROM = {
  pause: ["queued", "running"],
  resume: ["paused"],
  cancel: ["queued", "running", "paused"],
};

const text = (/** @type {string} */ id) => byId(id, HTMLElement);

/** The selected run: readings, curve, samples, checkpoints, and what can be done with it. */
export class RunView {
  #chart = new LossChart();
  #progress = byId("run-progress", HTMLProgressElement);
  #buttons = [...document.querySelectorAll("button[data-action]")].filter((b) => b instanceof HTMLButtonElement);
  /** Status at the time of an action that the trainer has not carried out yet. @type {RunStatus | null} */
  #pendingFrom = null;

  /** @param {(action: Action) => Promise<void>} act rejects with the reason an action was refused */
  constructor(act) {
    for (const button of this.#buttons) {
      button.addEventListener("click", async () => {
        const action = /** @type {Action} */ (button.dataset.action);
        if (action === "cancel" && !confirm("Cancel this run? It cannot be resumed; its checkpoints stay.")) return;
        this.#pendingFrom = /** @type {RunStatus} */ (text("run-status").dataset.status);
        this.#buttons.forEach((b) => b.disabled = true);
        try {
          await act(action);
        } catch (error) {
          this.#pendingFrom = null;
          this.#buttons.forEach((b) => b.disabled = false);
          this.#showError(String(error instanceof Error ? error.message : error));
        }
      });
    }
  }

  /**
   * @param {Run} run
   * @param {RunHistory} history
   * @param {Checkpoint[]} checkpoints
   */
  draw(run, history, checkpoints) {
    const { train, validation } = history;
    setText(text("run-name"), run.name);
    setText(text("run-shape"), shapeOf(run));
    this.#drawStatus(run);

    const trainLoss = lastPoint(train);
    this.#progress.max = run.max_steps;
    this.#progress.value = run.step;
    setText(text("step"), formatCount(run.step));
    setText(text("max-steps"), formatCount(run.max_steps));
    setText(text("train-loss"), formatLoss(trainLoss?.value));
    setText(text("val-loss"), formatLoss(lastPoint(validation)?.value));
    setText(text("tokens-per-second"), formatCompact(history.tokensPerSecond));
    setText(text("learning-rate"), formatRate(history.learningRate));
    this.#drawTime(run, history);

    this.#chart.draw({ train, validation, maxSteps: run.max_steps });
    drawSamples(history.samples);
    drawCheckpoints(checkpoints);
  }

  /** Time left while it runs, then time taken. @param {Run} run @param {RunHistory} history */
  #drawTime(run, { etaSeconds }) {
    const over = run.finished_at !== null && run.started_at !== null;
    setText(text("time-label"), over ? "Took" : "Time left");
    const left = run.status === "running" ? etaSeconds : null;
    setText(text("time"), formatDuration(over ? secondsBetween(run.started_at, run.finished_at) : left));
  }

  /** @param {Run} run */
  #drawStatus(run) {
    const status = text("run-status");
    if (status.dataset.status !== run.status) this.#showError(null);
    status.dataset.status = run.status;
    setText(status, run.status);
    if (run.error !== null) this.#showError(run.error);
    if (this.#pendingFrom !== null && this.#pendingFrom !== run.status) {
      this.#pendingFrom = null;
      this.#buttons.forEach((b) => b.disabled = false);
    }
    for (const button of this.#buttons) {
      button.hidden = !ACTION_FROM[/** @type {Action} */ (button.dataset.action)].includes(run.status);
    }
  }

  /** @param {string | null} message */
  #showError(message) {
    const error = text("run-error");
    error.hidden = message === null;
    setText(error, message ?? "");
  }
}

/** @param {string | null} from @param {string | null} to ISO 8601 */
const secondsBetween = (from, to) => from === null || to === null ? null : (Date.parse(to) - Date.parse(from)) / 1000;

/** @param {Run} run */
function shapeOf({ config, parameters }) {
  const { model, tokenizer } = config;
  return [
    `${model.architecture} with ${formatCompact(parameters)} parameters`,
    `${model.n_layer} layers`,
    `${model.n_head} heads`,
    `${model.n_embd} wide`,
    `context ${config.context_length}`,
    `batch ${config.batch_size}`,
    `${tokenizer.kind} vocabulary of ${formatCount(tokenizer.vocab_size)}`,
  ].join(" · ");
}
