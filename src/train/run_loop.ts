import { join } from "node:path";
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
import { nextTurn } from "../turns.ts";
import { CorruptCheckpointError, readCheckpoint, readState, verifyCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { windowsToTrain } from "./config.ts";
import { measureGflops } from "./device_report.ts";
import { hasCheckpointAt, stepsToMilestone, type Task, tasksAt } from "./milestones.ts";
import { noProgress, type Progress } from "./progress.ts";
import { type RunControl, StoppedError } from "./run_control.ts";
import { RunMeter } from "./run_meter.ts";
import { reportTuning, type RunTuning, tuneRun, tuningBudget, untuned } from "./run_tuning.ts";
import type { Command, DeviceInfo, Report, StopReason } from "./protocol.ts";
import { type Burst, type StepResult, Trainer } from "./trainer.ts";

type Start = Extract<Command, { type: "start" }>;
type Ended = Extract<Report, { type: "ended" }>;

/** After this many skipped updates in a row the run is not training any more, and fails. */
export const MAX_SKIPPED_IN_A_ROW = 10;
/** A call that has less time left does not spend it on measuring the device, which takes 0.3 s on a quiet machine. */
const ROOM_TO_MEASURE_MS = 5000;

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
  const { command: { config, files, run_id }, control, gpu } = attempt;
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
    const trainer = await Trainer.create(gpu, config, {
      initialize: folder === null,
      choices: tuning.choices,
      giveTurn: () => control.giveTurn(),
    });
    try {
      return await new RunLoop(attempt, corpus, trainer, tuning).run(folder);
    } finally {
      trainer.free();
    }
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error;
    return { type: "ended", run_id, step: null, reason: error.reason };
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
  /** All that a checkpoint carries beside the model. */
  #progress: Progress = noProgress();
  /** The newest checkpoint that has nothing left to do at its step. */
  #checkpointed: { step: number; resumeOnly: boolean } | null = null;
  #checkpointedAt = performance.now();
  /** What the last checkpoint took; a call that is limited in time keeps as much for its own. */
  #checkpointMs = 0;
  #firstStep = 0;

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
    this.#batches.end = windowsToTrain(config, this.#batches.windowCount);
    this.#validation = config.validation_fraction > 0
      ? new ValidationBatches(validation, { ...shape, batches: config.eval.batches })
      : null;
    this.#meter = new RunMeter(config, attempt.device);
  }

  /** @param resumeFrom folder of the checkpoint to resume from */
  async run(resumeFrom: string | null): Promise<Ended> {
    const { control, command: { config, run_id } } = this.attempt;
    await this.#begin(resumeFrom);
    while (this.trainer.step < config.max_steps) {
      await nextTurn(); // commands arrive between bursts
      if (!this.#running) {
        if (control.stop) return await this.#stop(control.stop);
        if (this.#isSpent()) return await this.#stop("yielded");
        const requested = control.takeCheckpointRequest();
        if (requested || this.#isCheckpointTime()) await this.#checkpoint();
        if (this.#wantsPeak()) await this.#measurePeak();
      }
      await this.#burst();
      this.#progress.owed = tasksAt(config, this.trainer.step);
      await this.#milestones();
    }
    if (this.#progress.owed.length > 0) return await this.#stop(control.stop ?? "yielded");
    return { type: "ended", run_id, step: this.trainer.step, reason: "succeeded" };
  }

  async #begin(resumeFrom: string | null): Promise<void> {
    const { command: { config, run_id }, post } = this.attempt;
    if (resumeFrom === null) this.#progress.owed = tasksAt(config, 0);
    else await this.#resume(resumeFrom);
    this.#firstStep = this.trainer.step;
    post({
      type: "started",
      run_id,
      step: this.trainer.step,
      parameters: this.#meter.parameters,
      epoch: this.#batches.epoch,
      tokens_seen: this.#progress.tokens_seen,
      tuning: reportTuning(this.tuning, this.trainer),
    });
    if (resumeFrom === null || this.#progress.owed.length > 0) await this.#milestones();
  }

  async #resume(folder: string): Promise<void> {
    const { command: { config }, control } = this.attempt;
    const start = performance.now();
    const { format, step, choices: _, loss_scale: __, ...progress } = await readCheckpoint(
      folder,
      this.trainer,
      () => control.giveTurn(),
    );
    this.#checkpointMs = performance.now() - start; // a guess, until one is written
    this.#batches.position = progress.position;
    this.#progress = progress;
    // Format 1 lacks the result of an evaluation before the stop: it is done again, to the same bits.
    if (format === 1 && progress.owed.length > 0) progress.owed = tasksAt(config, step);
    // If something is owed, the checkpoint of this step is too.
    this.#checkpointed = progress.owed.length > 0 ? null : { step, resumeOnly: !this.#hasCheckpointHere() };
  }

  /**
   * A burst, and the start of the next: prepared while this one runs, submitted before its results are awaited, so that
   * the GPU waits for neither.
   * @throws {DivergedError} after too many skipped steps in a row; what the GPU did past the last of them is not reported
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
    const taken = this.#take(results);
    post({
      type: "progress",
      run_id,
      points: this.#meter.points(taken, elapsedMs / results.length, this.#batches.windowCount),
      tokens_seen: this.#progress.tokens_seen,
      eta_seconds: this.#meter.etaSeconds(taken[taken.length - 1].step),
      skipped_steps: this.#progress.skipped_steps,
    });
    if (this.#hasDiverged()) throw new DivergedError();
  }

  /** Takes results into the progress, up to the step at which the run has diverged, if there is one. */
  #take(results: readonly StepResult[]): StepResult[] {
    const taken: StepResult[] = [];
    const progress = this.#progress;
    progress.val_loss = null;
    for (const result of results) {
      const skipped = !Number.isFinite(result.gradNorm);
      progress.position = result.position;
      progress.tokens_seen += result.targets;
      progress.skipped_steps += Number(skipped);
      progress.skipped_in_a_row = skipped ? progress.skipped_in_a_row + 1 : 0;
      progress.train_loss = finiteOrNull(result.loss);
      taken.push(result);
      if (this.#hasDiverged()) break;
    }
    return taken;
  }

  #hasDiverged(): boolean {
    return this.#progress.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW;
  }

  /** Steps from `step` to the next milestone at most, as many as fit the time budget of a burst. */
  #prepare(step: number): Burst {
    const allowed = this.#firstStep + this.attempt.control.steps - step;
    const toMilestone = stepsToMilestone(this.attempt.command.config, step);
    const most = Math.min(toMilestone, this.trainer.mostSteps, allowed);
    return this.trainer.prepare(this.#batches, this.#meter.burstSteps(most));
  }

  /** Not past a milestone, whose work comes first, nor where somebody waits for the present burst to end. */
  #mayGoOn({ steps }: Burst): boolean {
    const { control, command: { config } } = this.attempt;
    if (control.stop || control.checkpointRequested || this.#isCheckpointTime() || this.#wantsPeak()) return false;
    if (this.trainer.step + steps >= this.#firstStep + control.steps) return false;
    // Two bursts would be under way, each as long as the present one.
    if (this.#leftMs() < 2 * this.#meter.burstMs) return false;
    return steps < stepsToMilestone(config, this.trainer.step);
  }

  /** For training: without what the checkpoint at the end will take. */
  #leftMs(): number {
    return this.attempt.control.leftMs - this.#checkpointMs;
  }

  /** Whether a limit is reached. An attempt makes a step at least, or does some of what is owed: each call gets on. */
  #isSpent(): boolean {
    if (this.#progress.owed.length > 0) return true;
    const made = this.trainer.step - this.#firstStep;
    return made >= this.attempt.control.steps || (made > 0 && this.#leftMs() < this.#meter.burstMs);
  }

  #isCheckpointTime(): boolean {
    const { every_seconds } = this.attempt.command.config.checkpoint;
    return every_seconds !== null && performance.now() - this.#checkpointedAt >= 1000 * every_seconds;
  }

  #wantsPeak(): boolean {
    return this.#meter.isPeakStale && this.#leftMs() > ROOM_TO_MEASURE_MS;
  }

  /** The device was faster than it was measured to be, on a busy machine perhaps: the next runs are told, too. */
  async #measurePeak(): Promise<void> {
    const { gpu, device } = this.attempt;
    const gflops = await measureGflops(gpu);
    this.#meter.remeasured(gflops);
    device.measured.gflops = Math.max(device.measured.gflops, gflops);
  }

  /** Whether an undisturbed run has a checkpoint of this step, as far as is known. */
  #hasCheckpointHere(): boolean {
    const { config } = this.attempt.command;
    const { step } = this.trainer;
    return hasCheckpointAt(config, step) || (config.checkpoint.on_best && this.#progress.best?.step === step);
  }

  /**
   * Does what is owed, and then the checkpoint: a run that resumes from it has the rest behind it. A stop or the end
   * of its time ends it early, and what is still owed goes into the checkpoint of the stop.
   */
  async #milestones(): Promise<void> {
    const work: Record<Task, () => Promise<boolean>> = {
      evaluate: () => this.#evaluate(),
      sample: () => this.#sample(),
    };
    const progress = this.#progress;
    while (progress.owed.length > 0) {
      if (!await work[progress.owed[0]]()) return;
      progress.owed = progress.owed.slice(1);
      if (progress.owed.length > 0 && this.#leftMs() <= 0) return;
    }
    if (this.#hasCheckpointHere()) await this.#checkpoint();
  }

  async #stop(reason: StopReason | "yielded"): Promise<Ended> {
    // A cancelled run is at its end, whose checkpoint stays.
    await this.#checkpoint({ resumeOnly: reason !== "cancelled" && !this.#hasCheckpointHere() });
    return { type: "ended", run_id: this.attempt.command.run_id, step: this.trainer.step, reason };
  }

  /** False if a stop ended it early. */
  async #evaluate(): Promise<boolean> {
    if (!this.#validation) return true;
    const { command: { run_id }, control, post } = this.attempt;
    let bytes = 0;
    const counted = countBytes(this.#validation, this.#tokenizer, (more) => bytes += more);
    const result = await this.trainer.evaluate(counted, { stop: () => control.stop !== null });
    if (result === null) return false;
    const { nats, targets } = result;
    const val_loss = nats / targets;
    const { step } = this.trainer;
    this.#progress.val_loss = finiteOrNull(val_loss);
    if (val_loss < (this.#progress.best?.val_loss ?? Infinity)) this.#progress.best = { step, val_loss };
    post({
      type: "evaluated",
      run_id,
      step,
      val_loss,
      val_perplexity: Math.exp(val_loss),
      val_bpb: nats / (Math.LN2 * bytes),
    });
    return true;
  }

  /** False if a stop ended it early. */
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
    const ignored = this.#tokenizer.unknownIn(prompt);
    post({ type: "sampled", run_id, step, prompt, text: this.#tokenizer.decode(tokens), ignored });
    return true;
  }

  /** @param resumeOnly it is no checkpoint of the run's own plan, and the next one takes its place */
  async #checkpoint({ resumeOnly = false } = {}): Promise<void> {
    const { command: { files, run_id }, post } = this.attempt;
    const { step } = this.trainer;
    const before = this.#checkpointed;
    this.#checkpointedAt = performance.now();
    if (before?.step === step && (resumeOnly || !before.resumeOnly)) return;
    const written = await writeCheckpoint(files.checkpoints, this.trainer, this.#tokenizer, this.#progress);
    this.#checkpointed = { step, resumeOnly };
    this.#checkpointMs = performance.now() - this.#checkpointedAt;
    post({
      type: "checkpointed",
      run_id,
      step,
      ...written,
      train_loss: this.#progress.train_loss,
      val_loss: this.#progress.val_loss,
      resume_only: resumeOnly,
      elapsed_ms: Math.round(this.#checkpointMs),
    });
  }
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

export class DivergedError extends Error {
  override name = "DivergedError";

  constructor() {
    super(
      `the gradient was not finite for ${MAX_SKIPPED_IN_A_ROW} steps in a row: lower optimizer.learning_rate, ` +
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
