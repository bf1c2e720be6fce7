import assert from "node:assert/strict";
import { TrainingBatches, ValidationBatches } from "#src/data/batches.ts";
import type { TokenSource } from "#src/data/token_shards.ts";
import type { Gpu } from "#src/gpu/device.ts";
import { describe, deviceLimits } from "#src/model/describe.ts";
import { resolveRunConfig, type RunConfig, RunRequest, type RunRequestInput, workloadOf } from "#src/train/config.ts";
import { Trainer } from "#src/train/trainer.ts";
import { ArenaReader, writeTensor } from "#src/train/weights.ts";
import { loadGpt2Fixture, movementError, type Training } from "../../fixtures/gpt2.ts";
import { gpt2Logits, gpt2Loss, type Tensors } from "../../reference/gpt2.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { assertSameBits } from "../workbench.ts";

const fixture = loadGpt2Fixture();
const { B, T, L, H, C, V } = fixture.dims;
/** One batch: B windows of T tokens, each token but the first a target. */
const CORPUS = Uint32Array.of(...fixture.tokens, fixture.targets[B * T - 1]);

function sourceOf(tokens: Uint32Array): TokenSource {
  return { length: tokens.length, read: (offset, count) => tokens.subarray(offset, offset + count) };
}

/** The configuration of a run over the fixture's corpus. */
function configOf(request: Omit<RunRequestInput, "dataset">): RunConfig {
  const { model, ...rest } = request;
  const parsed = RunRequest.parse({
    dataset: "fixture",
    model: { n_layer: L, n_head: H, n_embd: C, ...model },
    context_length: T,
    batch_size: B,
    max_steps: 1000,
    validation_fraction: 0,
    ...rest,
  });
  return resolveRunConfig(parsed, { name: "fixture", distinctCharacters: V, tokens: CORPUS.length });
}

const CONSTANT = { schedule: "constant", warmup_steps: 0 } as const;

function batchesOf({ context_length, batch_size, seed }: RunConfig, corpus = CORPUS): TrainingBatches {
  return new TrainingBatches(sourceOf(corpus), { contextLength: context_length, batchSize: batch_size, seed });
}

async function use<T>(gpu: Gpu, config: RunConfig, work: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await Trainer.create(gpu, config);
  try {
    return await work(trainer);
  } finally {
    trainer.free();
  }
}

/** Starts from the fixture's weights. */
async function loadInitial(trainer: Trainer): Promise<void> {
  const { gpu, parameters } = trainer;
  for (const [name, { data }] of fixture.initial) {
    let read = 0;
    await writeTensor(gpu.device, parameters, { name }, (piece) => {
      piece.set(data.subarray(read, read + piece.length));
      read += piece.length;
    });
  }
  trainer.weightsChanged();
}

async function readWeights({ readback, parameters }: Trainer): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { spec: { name } } of parameters.layout.parameters) {
    const bytes: number[] = [];
    for await (const piece of new ArenaReader(readback).tensor(parameters, name)) bytes.push(...piece);
    weights.set(name, new Float32Array(Uint8Array.from(bytes).buffer));
  }
  return weights;
}

function optimizerOf({ settings }: Training): RunRequestInput["optimizer"] {
  return { ...CONSTANT, min_learning_rate: 0, ...settings };
}

/** PyTorch's 20 steps again, on the GPU, in two bursts. */
function pytorchCase(name: keyof typeof fixture.trainings, limits?: GpuCase["limits"]): GpuCase {
  return {
    name: `PyTorch's ${fixture.steps} steps of ${name}${limits ? ", parameters over many buffers" : ""}`,
    limits,
    run: (gpu) => {
      const training = fixture.trainings[name];
      const config = configOf({ optimizer: optimizerOf(training) });
      return use(gpu, config, async (trainer) => {
        if (limits) assert.ok(trainer.parameters.blocks.length > 3, `${trainer.parameters.blocks.length} buffers`);
        await loadInitial(trainer);
        const batches = batchesOf(config);
        const results = [...await trainer.train(batches, 7), ...await trainer.train(batches, fixture.steps - 7)];
        assert.deepEqual(results.map(({ step }) => step), Array.from({ length: fixture.steps }, (_, i) => i + 1));
        for (const [i, { step, loss, gradNorm }] of results.entries()) {
          const [expectedLoss, expectedNorm] = [training.losses[i], training.grad_norms[i]];
          assert.ok(Math.abs(loss - expectedLoss) < 1e-4, `step ${step}: loss ${loss}, PyTorch's ${expectedLoss}`);
          assert.ok(
            Math.abs(gradNorm / expectedNorm - 1) < 5e-4,
            `step ${step}: norm ${gradNorm}, PyTorch's ${expectedNorm}`,
          );
        }
        for (const [tensor, weights] of await readWeights(trainer)) {
          const error = movementError(tensor, weights, training.final.get(tensor)!, fixture.initial.get(tensor)!);
          assert.ok(error < 1e-3, `${tensor} moved ${(100 * error).toPrecision(2)} % differently from PyTorch's`);
        }
      });
    },
  };
}

/** Losses and weights of a few steps that use all that is random: shuffles, dropout, initial weights. */
function trainRandomly(gpu: Gpu, seed: number, bursts: number[]) {
  const config = configOf({
    seed,
    model: { dropout: 0.2 },
    batch_size: 2,
    gradient_accumulation_steps: 2,
    optimizer: { ...CONSTANT },
  });
  return use(gpu, config, async (trainer) => {
    const batches = batchesOf(config);
    const losses: number[] = [];
    for (const steps of bursts) losses.push(...(await trainer.train(batches, steps)).map(({ loss }) => loss));
    return { losses, weights: await readWeights(trainer) };
  });
}

function tensorsOf(weights: Map<string, Float32Array>): Tensors {
  return new Map([...weights].map(([name, values]) => [name, Float64Array.from(values)]));
}

export const cases: GpuCase[] = [
  pytorchCase("sgd"),
  pytorchCase("sgd_momentum"),
  pytorchCase("adamw"),
  pytorchCase("adamw", { maxBufferSize: 65_536 }),
  {
    name: "tensors are the same, whatever the windows they are read through",
    run: (gpu) =>
      use(gpu, configOf({}), async (trainer) => {
        const bytesThrough = async (windowBytes: number | undefined, name: string) => {
          const bytes: number[] = [];
          const reader = new ArenaReader(trainer.readback, windowBytes);
          for await (const piece of reader.tensor(trainer.parameters, name)) bytes.push(...piece);
          return bytes;
        };
        for (const { spec } of trainer.parameters.layout.parameters) {
          const whole = await bytesThrough(undefined, spec.name);
          assert.equal(whole.length, 4 * spec.shape.reduce((product, size) => product * size, 1));
          assert.deepEqual(await bytesThrough(1024, spec.name), whole, spec.name);
        }
      }),
  },
  {
    name: "overfits one batch to a loss below 0.05",
    run: (gpu) => {
      const config = configOf({ optimizer: { ...CONSTANT, learning_rate: 3e-3, weight_decay: 0 } });
      return use(gpu, config, async (trainer) => {
        const batches = batchesOf(config);
        const first = (await trainer.train(batches, 1))[0].loss;
        assert.ok(
          Math.abs(first - Math.log(V)) < 0.2,
          `an untrained model is indifferent: ${first}, ln V ${Math.log(V)}`,
        );
        for (let burst = 0; burst < 4; burst++) await trainer.train(batches, 50);
        const [{ step, loss }] = await trainer.train(batches, 1);
        assert.equal(step, 202);
        assert.ok(loss < 0.05, `loss ${loss} after ${step} steps`);
      });
    },
  },
  {
    name: "the same seed gives the same bits, however steps fall into bursts; another seed does not",
    run: async (gpu) => {
      const once = await trainRandomly(gpu, 7, [6]);
      const again = await trainRandomly(gpu, 7, [1, 3, 2]);
      assert.deepEqual(again.losses, once.losses);
      for (const [name, weights] of once.weights) assertSameBits(name, weights, again.weights.get(name)!);
      assert.notDeepEqual((await trainRandomly(gpu, 8, [6])).losses, once.losses);
    },
  },
  {
    name: "dropout draws anew for each step, as the seed says",
    run: async (gpu) => {
      // One window, weights at rest: losses differ by their masks alone.
      const lossesOf = (seed: number, dropout: number) => {
        const optimizer = { ...CONSTANT, kind: "sgd", learning_rate: 0, min_learning_rate: 0 } as const;
        const config = configOf({ seed, model: { dropout }, batch_size: 1, optimizer });
        return use(gpu, config, async (trainer) => {
          await loadInitial(trainer);
          const results = await trainer.train(batchesOf(config, CORPUS.subarray(0, T + 1)), 4);
          return results.map(({ loss }) => loss);
        });
      };
      const distinct = (losses: number[]) => new Set(losses).size;
      assert.equal(distinct(await lossesOf(1, 0)), 1);
      const losses = await lossesOf(1, 0.5);
      assert.equal(distinct(losses), 4);
      assert.equal(distinct([...losses, ...await lossesOf(2, 0.5)]), 8);
    },
  },
  {
    name: "accumulated micro-steps make the step of the whole batch",
    run: async (gpu) => {
      const step = (batch_size: number, gradient_accumulation_steps: number) => {
        const config = configOf({
          batch_size,
          gradient_accumulation_steps,
          optimizer: optimizerOf(fixture.trainings.sgd),
        });
        return use(gpu, config, async (trainer) => {
          await loadInitial(trainer);
          return (await trainer.train(batchesOf(config), 2)).map(({ loss, gradNorm }) => ({ loss, gradNorm }));
        });
      };
      const [whole, parts] = [await step(3, 1), await step(1, 3)];
      for (const [i, { loss, gradNorm }] of whole.entries()) {
        assert.ok(Math.abs(parts[i].loss / loss - 1) < 1e-5, `losses ${parts[i].loss} and ${loss}`);
        assert.ok(Math.abs(parts[i].gradNorm / gradNorm - 1) < 1e-5, `norms ${parts[i].gradNorm} and ${gradNorm}`);
      }
    },
  },
  {
    name: "a gradient that is not finite skips its step, whole",
    run: (gpu) => {
      const config = configOf({ optimizer: { ...CONSTANT } });
      return use(gpu, config, async (trainer) => {
        const batches = batchesOf(config);
        await trainer.train(batches, 1);
        const name = "transformer.h.1.mlp.c_fc.weight";
        await writeTensor(gpu.device, trainer.parameters, { name }, (piece) => void piece.fill(NaN));
        trainer.weightsChanged();
        const before = await readWeights(trainer);
        const [{ gradNorm, step }] = await trainer.train(batches, 1);
        assert.equal(step, 2);
        assert.ok(!Number.isFinite(gradNorm), `norm ${gradNorm}`);
        for (const [tensor, weights] of await readWeights(trainer)) {
          assertSameBits(tensor, weights, before.get(tensor)!);
        }
      });
    },
  },
  {
    name: "evaluation sums the loss over every target once, and changes nothing",
    run: (gpu) => {
      const config = configOf({ model: { dropout: 0.5 } });
      return use(gpu, config, async (trainer) => {
        await loadInitial(trainer);
        const before = await readWeights(trainer);
        // 4 windows, the last of 5 targets, in batches of 3.
        const tokens = new Random(1).integers(3 * T + 6, V);
        const validation = new ValidationBatches(sourceOf(tokens), { contextLength: T, batchSize: B, batches: null });
        const result = await trainer.evaluate(validation);
        assert.ok(result);
        const { nats, targets } = result;
        assert.equal(targets, tokens.length - 1);
        const initial = tensorsOf(before);
        const lossOf = (start: number, length: number) =>
          length * gpt2Loss(
            initial,
            tokens.subarray(start, start + length),
            tokens.subarray(start + 1, start + length + 1),
            { ...fixture.dims, B: 1, T: length },
          );
        const expected = lossOf(0, T) + lossOf(T, T) + lossOf(2 * T, T) + lossOf(3 * T, 5);
        assert.ok(Math.abs(nats / expected - 1) < 1e-5, `${nats} nats, expected ${expected}`);
        for (const [name, weights] of await readWeights(trainer)) assertSameBits(name, weights, before.get(name)!);
      });
    },
  },
  {
    name: "generation at temperature 0 follows the twin's likeliest tokens, past a full context",
    run: (gpu) => {
      const config = configOf({ sample: { temperature: 0 } });
      return use(gpu, config, async (trainer) => {
        await loadInitial(trainer);
        const initial = tensorsOf(await readWeights(trainer));
        const text = [...CORPUS.subarray(0, 3)];
        const expected = Array.from({ length: T + 5 }, () => {
          const context = Uint32Array.from(text.slice(-T));
          const dims = { ...fixture.dims, B: 1, T: context.length };
          const last = gpt2Logits(initial, context, dims).slice(-V);
          const next = last.indexOf(Math.max(...last));
          text.push(next);
          return next;
        });
        const generated = await trainer.generate(CORPUS.subarray(0, 3), T + 5, { seed: 1 });
        assert.deepEqual([...generated ?? []], expected);
      });
    },
  },
  {
    name: "evaluation and generation end early when asked to",
    run: (gpu) =>
      use(gpu, configOf({}), async (trainer) => {
        const options = { contextLength: T, batchSize: B, batches: null };
        const validation = new ValidationBatches(sourceOf(new Random(1).integers(6 * B * T, V)), options);
        let asked = 0;
        assert.equal(await trainer.evaluate(validation, { stop: () => ++asked > 2 }), null);
        assert.equal(asked, 3);
        asked = 0;
        assert.equal(await trainer.generate(CORPUS.subarray(0, 1), 1000, { seed: 1, stop: () => ++asked > 2 }), null);
        assert.equal(asked, 3);
      }),
  },
  ...([
    ["AdamW", {}],
    ["plain SGD, dropout, accumulation", {
      model: { dropout: 0.1 },
      gradient_accumulation_steps: 3,
      optimizer: { kind: "sgd" },
    }],
    ["half precision", { precision: "f16" }],
    ["rows that are copied into textures", { model: { n_embd: 64, n_head: 4 } }],
    ["heads of no whole vec4s", { model: { n_embd: 30, n_head: 3 } }],
    ["blocks computed again", { recompute: "block", model: { n_layer: 3 } }],
    ["attention computed again", { recompute: "attention", model: { n_layer: 3 } }],
    ["SGD with momentum, one head, no biases", {
      model: { n_head: 1, bias: false },
      optimizer: { kind: "sgd", momentum: 0.9 },
    }],
  ] as const).map(([label, request]): GpuCase => ({
    name: `describe foretells the bytes of ${label}`,
    run: (gpu) => {
      const config = configOf(request);
      return use(gpu, config, (trainer) => {
        const { parameters, gradients, optimizer, activations } = describe(
          workloadOf(config),
          deviceLimits({ limits: gpu.limits, software: gpu.identity.software }),
        ).bytes;
        assert.deepEqual(trainer.memory.bytes, { parameters, gradients, optimizer, activations });
        return Promise.resolve();
      });
    },
  })),
];
