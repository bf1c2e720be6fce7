import { sampleToken } from "#kernels/sample_token.ts";
import type { EvaluationBatch, TrainingBatches } from "../data/batches.ts";
import { type Choices, choicesOf } from "../gpu/choices.ts";
import type { Gpu } from "../gpu/device.ts";
import { type BufferRange, Memory } from "../gpu/memory.ts";
import { Plan } from "../gpu/plan.ts";
import { READ_BLOCKS, Readback } from "../gpu/readback.ts";
import { Submits } from "../gpu/submits.ts";
import { Arena } from "../model/arena.ts";
import { recordTensors } from "../model/batch_record.ts";
import { RING_STEP_BYTES, RING_STEPS, trainerBuffers } from "../model/describe.ts";
import { Gpt2 } from "../model/gpt2.ts";
import { layOut } from "../model/layout.ts";
import { parameterTable } from "../model/parameters.ts";
import { recordGradientNorm, recordLossScale, recordUpdate } from "../nn/optimizer.ts";
import { momentNames } from "../nn/optimizer_sizes.ts";
import { Turns } from "../turns.ts";
import { modelConfig, type RunConfig, workloadOf } from "./config.ts";
import { learningRate } from "./schedule.ts";
import { Staging } from "./staging.ts";
import { type GiveTurn, initializeWeights } from "./weights.ts";

/** One step's metrics as the GPU reports them. */
export interface StepResult {
  step: number;
  /** Mean loss of the step's batch before its update, in nats a token. */
  loss: number;
  lr: number;
  /** Global L2 norm before clipping; not finite where the update was skipped. */
  gradNorm: number;
  /** Targets in the batch: what the mean is over. */
  targets: number;
  /** Training windows consumed by then. */
  position: number;
}

/** Steps encoded for the GPU: `submit`, then `read`, each once and in the order of preparation. */
export interface Burst {
  readonly steps: number;
  submit(): void;
  /** What is submitted after the call, before the promise settles, keeps the GPU busy: see `READ_BLOCKS`. */
  read(): Promise<{ results: StepResult[]; elapsedMs: number }>;
}

/** The factor on the gradients of an f16 run; 1 for f32. */
export interface LossScale {
  scale: number;
  /** Steps with a finite gradient since it changed. */
  finite_steps: number;
}

/** Where an f16 run starts; PyTorch's. */
const FIRST_LOSS_SCALE = 2 ** 16;

type TrainerBuffers = Record<keyof ReturnType<typeof trainerBuffers>, GPUBuffer>;

/** Between waits of about this long, a caller may stop an evaluation or a generation. */
const PATIENCE_MS = 200;

/**
 * A model in training on one GPU: its arenas, its activations and its recorded plans. All memory is allocated by
 * `create`; a step allocates nothing. Knows neither files nor who asked.
 */
export class Trainer {
  /** Updates made and read back. */
  step = 0;
  /** Steps prepared and not yet read back. */
  #prepared = 0;
  readonly parameters: Arena;
  readonly moments: ReadonlyMap<string, Arena>;
  readonly readback: Readback;
  readonly #staging: Staging;
  readonly #buffers: TrainerBuffers;
  readonly #plans: Record<"refresh" | "begin" | "microStep" | "update" | "evaluate" | "generate", Plan>;
  /** A unit is a micro-step, a validation batch, a token. */
  readonly #submits: Record<"train" | "evaluate" | "generate", Submits>;

  private constructor(readonly gpu: Gpu, readonly config: RunConfig, readonly memory: Memory, choices: Choices) {
    const model = modelConfig(config);
    const { batch_size: batchSize, gradient_accumulation_steps: gradientAccumulationSteps } = config;
    const { kind, momentum } = config.optimizer;
    const layout = layOut(parameterTable(model), { ...gpu.limits, ...gpu.identity });
    this.readback = new Readback(gpu);
    this.parameters = new Arena(memory, "parameters", "parameters", layout);
    const gradients = new Arena(memory, "gradients", "gradients", layout);
    this.moments = new Map(
      momentNames({ kind, momentum }).map((name) => [name, new Arena(memory, "optimizer", name, layout)]),
    );
    const sizes = Object.entries(trainerBuffers(workloadOf(config), layout.regions.map(({ size }) => size)));
    const buffers = this.#buffers = Object.fromEntries(
      sizes.map(([name, bytes]) => [name, memory.buffer("activations", name, bytes)]),
    ) as TrainerBuffers;
    const { precision, recompute } = config;
    const network = new Gpt2(model, { batchSize, precision, recompute }, this.parameters, gradients, memory);

    this.#submits = {
      train: new Submits(gpu, "train"),
      evaluate: new Submits(gpu, "evaluate"),
      generate: new Submits(gpu, "generate"),
    };
    const rows = batchSize * model.context_length;
    this.#staging = new Staging(rows, gradientAccumulationSteps);
    const loss_scale = whole(buffers.lossScale, 8);
    const batch = { ...recordTensors(buffers.record, rows), loss_scale };
    const total = whole(buffers.total, 4);
    const norm = whole(buffers.norm, 8);
    const plan = (label: string, record: (plan: Plan) => void) => {
      const made = new Plan(gpu, label, choices);
      record(made);
      return made;
    };
    this.#plans = {
      refresh: plan("refresh", (refresh) => network.recordRefresh(refresh)),
      begin: plan("begin", (begin) => {
        for (const block of gradients.blocks) begin.clear(whole(block));
        begin.clear(total);
      }),
      microStep: plan("micro-step", (microStep) => network.recordTraining(microStep, batch, total)),
      update: plan("update", (update) => {
        const regions = layout.regions.map((region) => ({
          decay: region.decay,
          parameters: this.parameters.region(region),
          gradients: gradients.region(region),
          moments: [...this.moments.values()].map((arena) => arena.region(region)),
        }));
        const partials = whole(buffers.partials);
        recordGradientNorm(
          update,
          { gradients: regions.map((region) => region.gradients), partials, loss_scale, norm },
          config.optimizer.grad_clip ?? 0,
        );
        recordUpdate(update, { step: batch.step, norm, regions }, { ...config.optimizer, kind: trainable(kind) });
        if (precision === "f16") recordLossScale(update, { norm, loss_scale });
        network.recordRefresh(update);
      }),
      evaluate: plan("evaluate", (evaluate) => {
        evaluate.clear(total);
        network.recordEvaluation(evaluate, batch, total);
      }),
      generate: plan("generate", (generate) => {
        const tokens = whole(buffers.context, 4 * model.context_length);
        const state = whole(buffers.generationState, 12);
        const logits = network.recordNextToken(generate, tokens, state, batch.step);
        generate.record(sampleToken, { logits, state, tokens, output: whole(buffers.generated) }, {
          vocabulary: model.vocab_size,
          context: model.context_length,
          top_k: config.sample.top_k ?? 0,
          temperature: config.sample.temperature,
        });
      }),
    };
  }

  /**
   * Allocates a run's memory and records its plans; weights are the seed's, unless others are to be loaded.
   * @param choices variants of kernels: those of a tuner, or of the checkpoint that the run resumes from
   * @param giveTurn lets commands in while the weights are made; what it throws ends that
   * @throws GpuError out of memory, or a kernel the device refuses; nothing stays allocated
   */
  static async create(
    gpu: Gpu,
    config: RunConfig,
    { initialize = true, choices = {}, giveTurn }: {
      initialize?: boolean;
      choices?: Choices;
      giveTurn?: GiveTurn;
    } = {},
  ): Promise<Trainer> {
    const memory = new Memory(gpu);
    try {
      const trainer = await gpu.guard("allocating the run", () => new Trainer(gpu, config, memory, choices));
      trainer.writeLossScale({ scale: config.precision === "f16" ? FIRST_LOSS_SCALE : 1, finite_steps: 0 });
      if (initialize) {
        await initializeWeights(gpu.device, trainer.parameters, config.seed, giveTurn);
        trainer.weightsChanged();
      }
      return trainer;
    } catch (error) {
      memory.free();
      throw error;
    }
  }

  /** What gradients are multiplied by, and the finite steps since it changed. */
  async readLossScale(): Promise<LossScale> {
    const [scale, finiteSteps] = await this.readback.readF32(whole(this.#buffers.lossScale, 8)); // sync point
    return { scale, finite_steps: finiteSteps };
  }

  writeLossScale({ scale, finite_steps }: LossScale): void {
    this.gpu.device.queue.writeBuffer(this.#buffers.lossScale, 0, Float32Array.of(scale, finite_steps));
  }

  /** Call after writing weights: the passes may read copies of them. */
  weightsChanged(): void {
    this.#plans.refresh.submit();
  }

  /** Steps that one burst may take. */
  get mostSteps(): number {
    return Math.min(RING_STEPS, Math.floor(this.#staging.capacity / this.config.gradient_accumulation_steps));
  }

  /** Trains for `steps` steps (at most `mostSteps`) and reads back once. */
  async train(batches: TrainingBatches, steps: number): Promise<StepResult[]> {
    const burst = this.prepare(batches, steps);
    burst.submit();
    return (await burst.read()).results;
  }

  /** Packs and encodes the next `steps` steps (at most `mostSteps`). One burst may run while the next is prepared. */
  prepare(batches: TrainingBatches, steps: number): Burst {
    const { gradient_accumulation_steps: microSteps } = this.config;
    const { record, staging, total, norm, ring } = this.#buffers;
    const { queue } = this.gpu.device;
    const submits = this.#submits.train;
    const first = this.step + this.#prepared + 1;
    this.#prepared += steps;
    const staged = Array.from({ length: steps }, (_, index) => ({
      targets: this.#stage(batches, index * microSteps, first + index),
      position: batches.position,
    }));
    for (let index = 0; index < steps; index++) {
      this.#plans.begin.encode(submits.encoder);
      for (let micro = 0; micro < microSteps; micro++) {
        const slot = index * microSteps + micro;
        submits.encoder.copyBufferToBuffer(staging, slot * record.size, record, 0, record.size);
        this.#plans.microStep.encode(submits.encoder);
        submits.endUnit();
      }
      this.#plans.update.encode(submits.encoder);
      submits.encoder.copyBufferToBuffer(total, 0, ring, index * RING_STEP_BYTES, 4);
      submits.encoder.copyBufferToBuffer(norm, 0, ring, index * RING_STEP_BYTES + 4, 4);
    }
    let submittedAt = 0;
    return {
      steps,
      submit: () => {
        submittedAt = performance.now();
        this.#staging.upload(queue, staging, steps * microSteps);
        submits.submit();
      },
      read: async () => {
        const reading = this.readback.readF32(whole(ring, steps * RING_STEP_BYTES)); // sync point
        const called = performance.now();
        const metrics = await reading;
        const elapsedMs = (READ_BLOCKS ? called : performance.now()) - submittedAt;
        submits.measured(steps * microSteps, elapsedMs);
        this.#prepared -= steps;
        this.step += steps;
        const results = staged.map(({ targets, position }, index) => ({
          step: first + index,
          targets,
          position,
          loss: metrics[2 * index] / targets,
          lr: learningRate(this.config, first + index),
          gradNorm: metrics[2 * index + 1],
        }));
        return { results, elapsedMs };
      },
    };
  }

  /** Packs the micro-batches of update `step`, and gives how many targets they have. */
  #stage(batches: TrainingBatches, firstSlot: number, step: number): number {
    const { gradient_accumulation_steps: microSteps, optimizer, seed } = this.config;
    let targets = 0;
    for (let micro = 0; micro < microSteps; micro++) {
      const batch = batches.next();
      targets += batch.targetCount;
      this.#staging.packBatch(firstSlot + micro, batch);
    }
    for (let micro = 0; micro < microSteps; micro++) {
      this.#staging.packStep(firstSlot + micro, {
        // An odd multiplier visits every u32 before it repeats: each micro-step's dropout has a seed of its own.
        seed: (seed + Math.imul(step * microSteps + micro, 0x9e37_79b1)) >>> 0,
        inverseTargets: 1 / targets,
        learningRate: learningRate(this.config, step),
        correction1: 1 - optimizer.beta1 ** step,
        correction2: 1 - optimizer.beta2 ** step,
      });
    }
    return targets;
  }

  /** The summed loss of these batches, in nats, without dropout; weights stay. Null where `stop` ended it early. */
  async evaluate(
    batches: Iterable<EvaluationBatch>,
    { stop = () => false }: { stop?: () => boolean } = {},
  ): Promise<{ nats: number; targets: number } | null> {
    const sum = { nats: 0, targets: 0 };
    const turns = new Turns();
    const most = Math.min(RING_STEPS, this.#staging.capacity);
    let staged = 0;
    const flush = async () => {
      for (const nats of await this.#evaluateStaged(staged)) sum.nats += nats;
      staged = 0;
      await turns.give(); // commands arrive, `stop` among them
    };
    for (const batch of batches) {
      if (stop()) return null;
      this.#staging.packBatch(staged, batch);
      this.#staging.packStep(staged++, IDLE_STEP);
      sum.targets += batch.targetCount;
      if (staged === Math.min(most, this.#submits.evaluate.unitsIn(PATIENCE_MS))) await flush();
    }
    if (staged > 0) await flush();
    return sum;
  }

  async #evaluateStaged(count: number): Promise<Float32Array> {
    const { record, staging, total, ring } = this.#buffers;
    const submits = this.#submits.evaluate;
    const start = performance.now();
    this.#staging.upload(this.gpu.device.queue, staging, count);
    for (let index = 0; index < count; index++) {
      submits.encoder.copyBufferToBuffer(staging, index * record.size, record, 0, record.size);
      this.#plans.evaluate.encode(submits.encoder);
      submits.encoder.copyBufferToBuffer(total, 0, ring, 4 * index, 4);
      submits.endUnit();
    }
    submits.submit();
    const losses = await this.readback.readF32(whole(ring, 4 * count)); // sync point
    submits.measured(count, performance.now() - start);
    return losses;
  }

  /**
   * Continues `prompt` (at least one token; its last T count) by `count` tokens, as the configuration's `sample` says.
   * The same seed and weights give the same tokens. Null where `stop` ended it early.
   */
  async generate(
    prompt: ArrayLike<number>,
    count: number,
    { seed, stop = () => false }: { seed: number; stop?: () => boolean },
  ): Promise<Uint32Array | null> {
    const { context_length: T } = this.config;
    const { context, generationState, generated } = this.#buffers;
    const { queue } = this.gpu.device;
    const submits = this.#submits.generate;
    const window = Uint32Array.from(prompt).slice(-T);
    const tokens = new Uint32Array(T);
    tokens.set(window);
    queue.writeBuffer(context, 0, tokens);
    queue.writeBuffer(generationState, 0, Uint32Array.of(window.length, 0, seed >>> 0));
    const turns = new Turns();
    for (let made = 0; made < count;) {
      if (stop()) return null;
      const start = performance.now();
      const some = Math.min(count - made, submits.unitsIn(PATIENCE_MS));
      for (let i = 0; i < some; i++) {
        this.#plans.generate.encode(submits.encoder);
        submits.endUnit();
      }
      submits.submit();
      made += some;
      await this.readback.read(whole(generationState, 12)); // sync point
      submits.measured(some, performance.now() - start);
      await turns.give(); // commands arrive, `stop` among them
    }
    return await this.readback.readU32(whole(generated, 4 * count)); // sync point
  }

  /** The variants that this run trains with. */
  get choices(): Choices {
    return choicesOf(this.#plans.microStep.dispatches);
  }

  /** The recorded plans, for profiles. */
  get plans(): Readonly<Record<string, Plan>> {
    return this.#plans;
  }

  /** Frees all memory at once. */
  free(): void {
    for (const plan of Object.values(this.#plans)) plan.free();
    this.readback.free();
    this.memory.free();
  }
}

/** Evaluation reads no step value: it neither drops nor updates. */
const IDLE_STEP = { seed: 0, inverseTargets: 0, learningRate: 0, correction1: 1, correction2: 1 };

function whole(buffer: GPUBuffer, size = buffer.size): BufferRange {
  return { buffer, offset: 0, size };
}

function trainable(kind: RunConfig["optimizer"]["kind"]): "adamw" | "sgd" {
  if (kind === "muon") throw new RangeError("this trainer has no muon optimizer");
  return kind;
}
