import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  type EvaluationBatch,
  IGNORED_TARGET,
  splitCorpus,
  TrainingBatches,
  ValidationBatches,
} from "../data/batches.ts";
import { prepareTokens, type TokenCorpus } from "../data/token_shards.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { Gpu } from "../gpu/device.ts";
import {
  CorruptCheckpointError,
  readCheckpoint,
  readState,
  type TrainerState,
  verifyCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";
import type { RunControl } from "./run_control.ts";
import { RunMeter } from "./run_meter.ts";
import { reportTuning, type RunTuning, tuneRun, tuningBudget, untuned } from "./run_tuning.ts";
import type { Command, DeviceInfo, Report, StopReason } from "./protocol.ts";
import { type Burst, Trainer } from "./trainer.ts";

type Start = Extract<Command, { type: "start" }>;
type Ended = Extract<Report, { type: "ended" }>;

/** Past this many updates skipped in a row, the run is not training any more. */
const MOST_SKIPPED_IN_A_ROW = 10;

/** What one attempt at a run works with. */
interface Attempt {
  gpu: Gpu;
  device: DeviceInfo;
  command: Start;
  control: RunControl;
  post: (report: Report) => void;
}

/** Trains a run from its start or its last checkpoint until it is done or told to stop, reporting all the way. */
export async function trainRun(attempt: Attempt): Promise<Ended> {
  const { command: { config, files }, gpu } = attempt;
  const kind = config.tokenizer.kind === "byte" ? "byte" : "char";
  const corpus = await prepareTokens({
    textPath: files.text,
    textSha256: files.textSha256,
    kind,
    folder: files.tokens,
  });
  try {
    if (corpus.tokenizer.vocabSize !== config.tokenizer.vocab_size) {
      throw new Error(`the text has ${corpus.tokenizer.vocabSize} tokens, the run ${config.tokenizer.vocab_size}`);
    }
    const folder = await findWhole(attempt);
    const tuning = folder === null ? await tuneAttempt(attempt) : untuned((await readState(folder)).choices);
    const trainer = await Trainer.create(gpu, config, { initialize: folder === null, choices: tuning.choices });
    try {
      return await new RunLoop(attempt, corpus, trainer, tuning).run(folder);
    } finally {
      trainer.free();
    }
  } finally {
    corpus.close();
  }
}

/** The folder of the newest checkpoint that is whole, or null: the seed's weights are as good as a checkpoint of step 0. */
async function findWhole({ command: { files, run_id }, post }: Attempt): Promise<string | null> {
  for (const { directory, files: written } of files.resumeFrom) {
    const folder = join(files.checkpoints, directory);
    try {
      await verifyCheckpoint(folder, written);
      return folder;
    } catch (error) {
      if (!(error instanceof CorruptCheckpointError)) throw error;
      post({ type: "checkpoint_corrupt", run_id, directory, problem: error.message });
    }
  }
  return null;
}

function tuneAttempt({ gpu, device, control, command: { config, files } }: Attempt): Promise<RunTuning> {
  const budgetMs = tuningBudget(config, device);
  return tuneRun(gpu, config, { folder: files.tuning, budgetMs, stop: () => control.stop !== null });
}

class RunLoop {
  readonly #tokenizer: Tokenizer;
  readonly #validation: ValidationBatches | null;
  readonly #batches: TrainingBatches;
  readonly #meter: RunMeter;
  /** The burst that the GPU works on while the results of the one before are taken in. */
  #running: Burst | null = null;
  #tokensSeen = 0;
  #skippedSteps = 0;
  #skippedInARow = 0;
  #checkpointedStep: number | null = null;
  #checkpointedAt = performance.now();
  /** What the last checkpoint took; a call that is limited in time keeps as much for its own. */
  #checkpointMs = 0;
  #firstStep = 0;
  #trainLoss: number | null = null;
  /** What is due at this step and not yet done. */
  #owed: TrainerState["owed"] = [];
  /** The latest validation loss and its step. */
  #validated: { step: number; loss: number } | null = null;

  constructor(
    readonly attempt: Attempt,
    readonly corpus: TokenCorpus,
    readonly trainer: Trainer,
    readonly tuning: RunTuning,
  ) {
    const { config } = attempt.command;
    const shape = { contextLength: config.context_length, batchSize: config.batch_size };
    const { train, validation } = splitCorpus(corpus, config.validation_fraction);
    this.#tokenizer = corpus.tokenizer;
    this.#batches = new TrainingBatches(train, { ...shape, seed: config.seed });
    this.#validation = config.validation_fraction > 0
      ? new ValidationBatches(validation, { ...shape, batches: config.eval.batches })
      : null;
    this.#meter = new RunMeter(config, attempt.device);
  }

  /** @param resumeFrom folder of the checkpoint to go on from */
  async run(resumeFrom: string | null): Promise<Ended> {
    const { control, command: { config, run_id } } = this.attempt;
    await this.#begin(resumeFrom);
    while (this.trainer.step < config.max_steps) {
      await setImmediate(); // commands arrive between bursts
      if (!this.#running) {
        if (control.stop) return await this.#stop(control.stop);
        if (this.#isSpent()) return await this.#stop("yielded");
        const requested = control.takeCheckpointRequest();
        if (requested || this.#isCheckpointTime()) await this.#checkpoint();
      }
      await this.#burst();
      this.#owed = this.#due();
      await this.#milestones();
      if (this.#skippedInARow >= MOST_SKIPPED_IN_A_ROW) throw new DivergedError(this.#skippedInARow);
    }
    if (this.#owed.length > 0) return await this.#stop(control.stop ?? "yielded");
    return { type: "ended", run_id, step: this.trainer.step, reason: "succeeded" };
  }

  async #begin(resumeFrom: string | null): Promise<void> {
    const { command: { run_id }, post } = this.attempt;
    if (resumeFrom !== null) {
      const start = performance.now();
      const state = await readCheckpoint(resumeFrom, this.trainer);
      this.#checkpointMs = performance.now() - start; // a guess, until one is written
      this.#batches.position = state.position;
      this.#tokensSeen = state.tokens_seen;
      this.#skippedSteps = state.skipped_steps;
      this.#skippedInARow = state.skipped_in_a_row;
      this.#trainLoss = state.train_loss;
      this.#owed = state.owed;
      // Where something is owed, the checkpoint of this step is too.
      this.#checkpointedStep = state.owed.length > 0 ? null : state.step;
    } else {
      this.#owed = this.#due();
    }
    this.#firstStep = this.trainer.step;
    post({
      type: "started",
      run_id,
      step: this.trainer.step,
      parameters: this.#meter.parameters,
      epoch: this.#batches.epoch,
      tokens_seen: this.#tokensSeen,
      tuning: reportTuning(this.tuning, this.trainer),
    });
    if (resumeFrom === null || this.#owed.length > 0) await this.#milestones();
  }

  /**
   * A burst, and the start of the next: prepared while this one runs, submitted before its results are awaited, so that
   * the GPU waits for neither.
   */
  async #burst(): Promise<void> {
    const { command: { run_id }, post } = this.attempt;
    const burst = this.#running ?? this.#prepare(this.trainer.step);
    if (!this.#running) burst.submit();
    const next = this.#mayGoOn(burst) ? this.#prepare(this.trainer.step + burst.steps) : null;
    const reading = burst.read(); // sync point
    next?.submit();
    this.#running = next;
    const { results, elapsedMs } = await reading;
    const points = this.#meter.points(results, elapsedMs, burst.epoch, this.#batches.windowCount);
    for (const { loss, gradNorm, targets } of results) {
      const skipped = !Number.isFinite(gradNorm);
      this.#tokensSeen += targets;
      this.#skippedSteps += Number(skipped);
      this.#skippedInARow = skipped ? this.#skippedInARow + 1 : 0;
      this.#trainLoss = loss;
    }
    post({
      type: "progress",
      run_id,
      points,
      tokens_seen: this.#tokensSeen,
      eta_seconds: this.#meter.etaSeconds(this.trainer.step),
      skipped_steps: this.#skippedSteps,
    });
  }

  /** Steps from `step` to the next milestone at most, as many as fit the time budget of a burst. */
  #prepare(step: number): Burst {
    const allowed = this.#firstStep + this.attempt.control.steps - step;
    const most = Math.min(this.#stepsToMilestone(step), this.trainer.mostSteps, allowed);
    return this.trainer.prepare(this.#batches, this.#meter.burstSteps(most));
  }

  /** Not past a milestone, whose work comes first, nor where somebody waits for the present burst to end. */
  #mayGoOn({ steps }: Burst): boolean {
    const { control } = this.attempt;
    if (control.stop || control.checkpointRequested || this.#isCheckpointTime()) return false;
    if (this.trainer.step + steps >= this.#firstStep + control.steps) return false;
    // Two bursts would be under way, each as long as the present one.
    if (this.#leftMs() < 2 * this.#meter.burstMs) return false;
    return steps < this.#stepsToMilestone(this.trainer.step);
  }

  /** For training: without what the checkpoint at the end will take. */
  #leftMs(): number {
    return this.attempt.control.leftMs - this.#checkpointMs;
  }

  /** Whether a limit is reached. An attempt makes a step at least, or does some of what is owed: each call gets on. */
  #isSpent(): boolean {
    if (this.#owed.length > 0) return true;
    const made = this.trainer.step - this.#firstStep;
    return made >= this.attempt.control.steps || (made > 0 && this.#leftMs() < this.#meter.burstMs);
  }

  #isCheckpointTime(): boolean {
    const { every_seconds } = this.attempt.command.config.checkpoint;
    return every_seconds !== null && performance.now() - this.#checkpointedAt >= 1000 * every_seconds;
  }

  /** From `step` to the next of all milestones; the run's end is one. */
  #stepsToMilestone(step: number): number {
    const { eval: evaluation, checkpoint, sample, max_steps } = this.attempt.command.config;
    const intervals = [evaluation.every, checkpoint.every, sample.every].filter((every) => every > 0);
    return Math.min(max_steps - step, ...intervals.map((every) => every - step % every));
  }

  /** What this step asks for beside a checkpoint. */
  #due(): TrainerState["owed"] {
    const { eval: evaluation, sample } = this.attempt.command.config;
    const due: TrainerState["owed"] = [];
    if (this.#validation && this.#isMilestone(evaluation.every)) due.push("evaluate");
    if (this.trainer.step > 0 && this.#isMilestone(sample.every)) due.push("sample");
    return due;
  }

  #isMilestone(every: number): boolean {
    const { step } = this.trainer;
    return every > 0 && (step % every === 0 || step === this.attempt.command.config.max_steps);
  }

  /**
   * Does what is owed, and then the checkpoint: a run that goes on from it has the rest behind it. A stop or the end
   * of its time ends it early, and what is still owed goes into the checkpoint of the stop.
   */
  async #milestones(): Promise<void> {
    const work = { evaluate: () => this.#evaluate(), sample: () => this.#sample() };
    while (this.#owed.length > 0) {
      if (!await work[this.#owed[0]]()) return;
      this.#owed = this.#owed.slice(1);
      if (this.#owed.length > 0 && this.#leftMs() <= 0) return;
    }
    if (this.#isMilestone(this.attempt.command.config.checkpoint.every)) await this.#checkpoint();
  }

  async #stop(reason: StopReason | "yielded"): Promise<Ended> {
    await this.#checkpoint();
    return { type: "ended", run_id: this.attempt.command.run_id, step: this.trainer.step, reason };
  }

  /** False where a stop ended it early. */
  async #evaluate(): Promise<boolean> {
    if (!this.#validation) return true;
    const { command: { run_id }, control, post } = this.attempt;
    let bytes = 0;
    const counted = countBytes(this.#validation, this.#tokenizer, (more) => bytes += more);
    const result = await this.trainer.evaluate(counted, { stop: () => control.stop !== null });
    if (result === null) return false;
    const { nats, targets } = result;
    const val_loss = nats / targets;
    this.#validated = { step: this.trainer.step, loss: val_loss };
    post({
      type: "evaluated",
      run_id,
      step: this.trainer.step,
      val_loss,
      val_perplexity: Math.exp(val_loss),
      val_bpb: nats / (Math.LN2 * bytes),
    });
    return true;
  }

  /** False where a stop ended it early. */
  async #sample(): Promise<boolean> {
    const { command: { config, run_id }, control, post } = this.attempt;
    const { prompt, max_tokens } = config.sample;
    const { step } = this.trainer;
    const known = this.#tokenizer.encodeKnown(prompt);
    // A model continues something: where the corpus has nothing of the prompt, its first token stands in.
    const start = known.length > 0 ? known : Uint32Array.of(0);
    const stop = () => control.stop !== null;
    const tokens = await this.trainer.generate(start, max_tokens, { seed: config.seed + step, stop });
    if (tokens === null) return false;
    post({ type: "sampled", run_id, step, prompt, text: this.#tokenizer.decode(tokens) });
    return true;
  }

  async #checkpoint(): Promise<void> {
    const { command: { files, run_id }, post } = this.attempt;
    const { step } = this.trainer;
    this.#checkpointedAt = performance.now();
    if (this.#checkpointedStep === step) return;
    const written = await writeCheckpoint(files.checkpoints, this.trainer, this.#tokenizer, {
      position: this.#batches.position,
      tokens_seen: this.#tokensSeen,
      skipped_steps: this.#skippedSteps,
      skipped_in_a_row: this.#skippedInARow,
      train_loss: Number.isFinite(this.#trainLoss) ? this.#trainLoss : null,
      owed: this.#owed,
    });
    this.#checkpointedStep = step;
    this.#checkpointMs = performance.now() - this.#checkpointedAt;
    post({
      type: "checkpointed",
      run_id,
      step,
      ...written,
      train_loss: this.#trainLoss,
      val_loss: this.#validated?.step === step ? this.#validated.loss : null,
      elapsed_ms: Math.round(this.#checkpointMs),
    });
  }
}

export class DivergedError extends Error {
  override name = "DivergedError";

  constructor(steps: number) {
    super(
      `the gradient was not finite for ${steps} steps in a row: lower optimizer.learning_rate, ` +
        "raise optimizer.warmup_steps or set optimizer.grad_clip",
    );
  }
}

/** The batches as they are, telling the UTF-8 bytes of their targets. */
function* countBytes(
  batches: Iterable<EvaluationBatch>,
  tokenizer: Tokenizer,
  tell: (bytes: number) => void,
): Generator<EvaluationBatch> {
  for (const batch of batches) {
    let bytes = 0;
    for (const target of batch.targets) if (target !== IGNORED_TARGET) bytes += tokenizer.tokenBytes(target);
    tell(bytes);
    yield batch;
  }
}
