import assert from "node:assert/strict";
import { Arena } from "#src/model/arena.ts";
import { recordLayout, recordTensors } from "#src/model/batch_record.ts";
import type { ModelConfig } from "#src/model/config.ts";
import { Gpt2, type Gpt2Options } from "#src/model/gpt2.ts";
import { layOut } from "#src/model/layout.ts";
import { parameterTable } from "#src/model/parameters.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { IGNORED } from "../../reference/cross_entropy.ts";
import {
  type Gpt2Dims,
  gpt2Logits,
  gpt2Loss,
  gpt2LossAndGradients,
  type Gpt2Masks,
  gpt2Shapes,
} from "../../reference/gpt2.ts";
import { Random } from "../../reference/random.ts";
import { sortByToken } from "../../reference/sort_by_token.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { assertClose, assertSameBits, stepWords, Workbench } from "../workbench.ts";

/**
 * The whole model recorded once, against its float64 twin: loss, every gradient, evaluation and the next token's logits.
 * Errors of a few roundings each add up over some twenty ops; a wrong term is thousands of times larger.
 */
const TOLERANCE = 1e-5;

const SEED = 4242;

/** Gradients come multiplied by it; a power of two, which changes no digit. */
const LOSS_SCALE = 256;

interface Example extends Gpt2Dims {
  bias: boolean;
  dropout: number;
  /** Every nth target is ignored; 0: none. */
  ignoreEvery: number;
}

const BASE: Example = { B: 3, T: 17, L: 2, H: 3, C: 48, V: 65, bias: true, dropout: 0, ignoreEvery: 0 };

function inputs(example: Example) {
  const { B, T, L, H, C, V, bias, dropout, ignoreEvery } = example;
  const random = new Random(B * T + C + V);
  const parameters = new Map(
    [...gpt2Shapes(example, bias)].map(([name, shape]) => {
      const mean = /ln_.*weight/.test(name) ? 1 : 0;
      return [name, random.normals(shape.reduce((a, b) => a * b), 0.15, mean)];
    }),
  );
  const tokens = random.integers(B * T, V);
  const targets = random.integers(B * T, V);
  if (ignoreEvery > 0) targets.forEach((_, n) => n % ignoreEvery === 0 && (targets[n] = IGNORED));
  const residual = (site: number) => dropoutFactors(dropout, SEED, site, B * T, C);
  const masks: Gpt2Masks = dropout === 0 ? { layers: [] } : {
    embedding: residual(0),
    layers: Array.from({ length: L }, (_, layer) => ({
      attention: dropoutFactors(dropout, SEED, 3 * layer + 1, B * H * T, T),
      afterAttention: residual(3 * layer + 2),
      afterMlp: residual(3 * layer + 3),
    })),
  };
  return { parameters, tokens, targets, masks, counted: targets.filter((target) => target !== IGNORED).length };
}

/** The model with the example's parameters on the GPU, and its batch. */
function open(bench: Workbench, example: Example, options: Partial<Gpt2Options> = {}) {
  const { B, T, L, H, C, V, bias, dropout } = example;
  const config: ModelConfig = {
    architecture: "gpt2",
    n_layer: L,
    n_head: H,
    n_embd: C,
    vocab_size: V,
    context_length: T,
    dropout,
    bias,
  };
  const { parameters, tokens, targets, counted } = inputs(example);
  const layout = layOut(parameterTable(config), { ...bench.gpu.limits, ...bench.gpu.identity });
  const weights = new Arena(bench.memory, "parameters", "parameters", layout);
  const gradients = new Arena(bench.memory, "gradients", "gradients", layout);
  for (const [name, values] of parameters) {
    for (const shard of weights.shards(name)) {
      const start = shard.firstRow * (values.length / shapeOf(layout, name)[0]);
      bench.write(shard, values.slice(start, start + shard.size / 4));
    }
  }
  const N = B * T;
  const record = recordTensors(bench.memory.buffer("activations", "record", recordLayout(N).bytes), N);
  const { order, segments } = sortByToken(tokens);
  const values = {
    step: stepWords({ seed: SEED, inverseTargets: 1 / counted }),
    inputs: tokens,
    targets,
    order,
    segments,
  };
  for (const [name, array] of Object.entries(values)) bench.write(record[name as keyof typeof values], array);
  const batch = { ...record, loss_scale: bench.tensor("loss scale", [2], Float64Array.of(LOSS_SCALE, 0)) };
  const settings: Gpt2Options = { batchSize: B, precision: "f32", recompute: "none", ...options };
  const network = new Gpt2(config, settings, weights, gradients, bench.memory);
  network.recordRefresh(bench.plan);
  bench.run();
  bench.plan.free();
  return { network, layout, gradients, batch };
}

function shapeOf(layout: ReturnType<typeof layOut>, name: string): readonly number[] {
  const parameter = layout.parameters.find(({ spec }) => spec.name === name);
  if (!parameter) throw new Error(`the model has no ${name}`);
  return parameter.spec.shape;
}

async function readArena(bench: Workbench, arena: Arena, name: string): Promise<number[]> {
  const parts: number[] = [];
  for (const shard of arena.shards(name)) parts.push(...await bench.read(shard));
  return parts;
}

function exampleCases(example: Example, limits?: GpuCase["limits"]): GpuCase[] {
  const { B, T, V, bias, dropout } = example;
  const changed = Object.entries(example).filter(([name, value]) => BASE[name as keyof Example] !== value);
  const differences = changed.map(([name, value]) => `${name} ${value}`).join(", ");
  const label = (differences || "B 3, T 17, L 2, H 3, C 48, V 65") +
    (limits ? `, table split by ${Object.keys(limits)[0]}` : "");
  return [
    {
      name: `loss and gradients: ${label}`,
      limits,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { parameters, tokens, targets, masks, counted } = inputs(example);
          const { network, layout, gradients, batch } = open(bench, example);
          const expected = gpt2LossAndGradients(parameters, tokens, targets, example, masks);
          if (limits && (gpu.identity.software || limits.maxBufferSize)) {
            assert.ok(gradients.shards("transformer.wte.weight").length > 1, "the table is split");
          }
          const total = bench.tensor("total", [1], Float64Array.of(0));
          network.recordTraining(bench.plan, batch, total);
          // Gradients and loss accumulate: a second micro-step of the same batch doubles both.
          for (const times of [1, 2]) {
            bench.run();
            assertClose("loss", await bench.read(total), [times * counted * expected.loss], TOLERANCE);
            for (const { spec: { name } } of layout.parameters) {
              const actual = await readArena(bench, gradients, name);
              const once = expected.gradients.get(name);
              assert.ok(once || (!bias && name.endsWith(".bias")), `the twin has no ${name}`);
              assertClose(
                `d ${name}`,
                actual,
                once?.map((g) => times * LOSS_SCALE * g) ?? actual.map(() => 0),
                TOLERANCE,
              );
            }
          }
        }),
    },
    {
      name: `evaluation and next token: ${label}`,
      limits,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { parameters, tokens, targets, counted } = inputs(example);
          const { network, batch } = open(bench, example);
          const total = bench.tensor("total", [1], Float64Array.of(0));
          network.recordEvaluation(bench.plan, batch, total);
          bench.run();
          const loss = gpt2Loss(parameters, tokens, targets, example);
          assertClose(`loss without dropout ${dropout}`, await bench.read(total), [counted * loss], TOLERANCE);

          bench.plan.free();
          const window = tokens.slice(0, T);
          const context = bench.tensor("context", [T], window);
          const state = bench.tensor("state", [3], Uint32Array.of(1, 0, 0));
          const logits = network.recordNextToken(bench.plan, context, state, batch.step);
          const all = gpt2Logits(parameters, window, { ...example, B: 1 });
          for (const held of new Set([1, Math.ceil(T / 2), T])) {
            bench.write(state, Uint32Array.of(held, 0, 0));
            bench.run();
            // Past V, to a whole vec4, is anything.
            const actual = (await bench.read({ ...logits, columns: logits.stride })).subarray(0, V);
            assertClose(
              `logits after ${held} of batch size ${B}`,
              actual,
              all.subarray((held - 1) * V, held * V),
              TOLERANCE,
            );
          }
        }),
    },
  ];
}

/** What is computed again is what was there before. */
function recomputeCase(example: Example): GpuCase {
  return {
    name: `every recompute level gives the same bits${example.dropout ? ", with dropout" : ""}`,
    run: async (gpu) => {
      const gradientsOf = (recompute: Gpt2Options["recompute"]) =>
        Workbench.use(gpu, async (bench) => {
          const { network, gradients, batch } = open(bench, example, { recompute });
          network.recordTraining(bench.plan, batch, bench.tensor("total", [1], Float64Array.of(0)));
          bench.run();
          const [block] = gradients.blocks;
          return {
            bits: await bench.read({ buffer: block, offset: 0, size: block.size }),
            bytes: bench.memory.bytes.activations,
          };
        });
      const kept = await gradientsOf("none");
      const attention = await gradientsOf("attention");
      const block = await gradientsOf("block");
      assertSameBits("gradients with attention computed again", attention.bits, kept.bits);
      assertSameBits("gradients with blocks computed again", block.bits, kept.bits);
      assert.ok(block.bytes < attention.bytes && attention.bytes < kept.bytes, "each level takes less memory");
    },
  };
}

/** f16 keeps 11 bits of every activation and of the weights: relative to the largest, gradients are off by a few. */
const F16_TOLERANCE = 2 ** -7;

function halfCase(example: Example): GpuCase {
  return {
    name: "loss and gradients in f16 are f32's within its precision",
    needs: "shader-f16",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const { parameters, tokens, targets, masks, counted } = inputs(example);
        const { network, layout, gradients, batch } = open(bench, example, { precision: "f16" });
        const expected = gpt2LossAndGradients(parameters, tokens, targets, example, masks);
        const total = bench.tensor("total", [1], Float64Array.of(0));
        network.recordTraining(bench.plan, batch, total);
        bench.run();
        assertClose("loss", await bench.read(total), [counted * expected.loss], 2 ** -11);
        for (const { spec: { name } } of layout.parameters) {
          const actual = await readArena(bench, gradients, name);
          const wanted = expected.gradients.get(name)!.map((g) => LOSS_SCALE * g);
          const largest = wanted.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
          const worst = wanted.reduce((most, g, i) => Math.max(most, Math.abs(g - actual[i])), 0);
          assert.ok(worst <= F16_TOLERANCE * largest, `d ${name} is off by ${worst} of ${largest}`);
        }
      }),
  };
}

export const cases: GpuCase[] = [
  ...exampleCases(BASE),
  // Odd widths: 33 channels in 3 heads of 11, so that no row is made of whole vectors.
  ...exampleCases({ ...BASE, B: 1, T: 7, C: 33, V: 257, bias: false }),
  // Rows of whole 256-byte lines, which software adapters read through textures.
  ...exampleCases({ ...BASE, C: 64, H: 4 }),
  ...exampleCases({ ...BASE, B: 2, dropout: 0.3 }),
  ...exampleCases({ ...BASE, B: 1, T: 1, L: 1, C: 3, V: 1 }),
  // 130 rows make chunks of 64, 64 and 2 in the loss head.
  ...exampleCases({ ...BASE, B: 2, T: 65, L: 1, C: 12, V: 33, ignoreEvery: 4 }),
  ...exampleCases({ ...BASE, B: 1, L: 1, V: 397 }, { maxStorageBufferBindingSize: 40_960, maxBufferSize: 81_920 }),
  // Software adapters read tables from textures, here of 130 rows at most.
  ...exampleCases({ ...BASE, B: 1, L: 1, V: 397 }, { maxTextureDimension2D: 130 }),
  halfCase({ ...BASE, C: 48, H: 3 }),
  recomputeCase({ ...BASE, L: 3 }),
  recomputeCase({ ...BASE, L: 3, B: 2, dropout: 0.3 }),
];
