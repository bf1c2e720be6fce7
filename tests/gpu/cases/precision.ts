import assert from "node:assert/strict";
import { TrainingBatches, ValidationBatches } from "#src/data/batches.ts";
import type { TokenSource } from "#src/data/token_shards.ts";
import type { Gpu } from "#src/gpu/device.ts";
import { resolveRunConfig, RunRequest } from "#src/train/config.ts";
import { Trainer } from "#src/train/trainer.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";

/** A language to be learnt: each of 24 tokens is followed by one of three. */
const VOCABULARY = 24;
const TOKENS = 20_000;

function corpus(): Uint32Array {
  const random = new Random(7);
  const tokens = random.integers(TOKENS, 3);
  for (let i = 1; i < TOKENS; i++) tokens[i] = (5 * tokens[i - 1] + tokens[i]) % VOCABULARY;
  return tokens;
}

const STEPS = 500;

interface Result {
  /** Mean over the last fifty steps, in nats. */
  trainLoss: number;
  validationLoss: number;
  skipped: number;
}

async function train(gpu: Gpu, precision: "f32" | "f16"): Promise<Result> {
  const request = RunRequest.parse({
    dataset: "rule",
    model: { n_layer: 2, n_head: 2, n_embd: 32 },
    context_length: 32,
    batch_size: 8,
    max_steps: STEPS,
    precision,
    optimizer: { learning_rate: 3e-3, warmup_steps: 50 },
  });
  const config = resolveRunConfig(request, { name: "rule", distinctCharacters: VOCABULARY, tokens: TOKENS });
  const tokens = corpus();
  const source: TokenSource = { length: TOKENS, read: (offset, count) => tokens.subarray(offset, offset + count) };
  const shape = { contextLength: config.context_length, batchSize: config.batch_size };
  const trainer = await Trainer.create(gpu, config);
  try {
    const batches = new TrainingBatches(source, { ...shape, seed: config.seed });
    const steps = [];
    while (trainer.step < STEPS) steps.push(...await trainer.train(batches, Math.min(25, STEPS - trainer.step)));
    const evaluated = await trainer.evaluate(new ValidationBatches(source, { ...shape, batches: 20 }));
    assert.ok(evaluated);
    return {
      trainLoss: steps.slice(-50).reduce((sum, { loss }) => sum + loss / 50, 0),
      validationLoss: evaluated.nats / evaluated.targets,
      skipped: steps.filter(({ gradNorm }) => !Number.isFinite(gradNorm)).length,
    };
  } finally {
    trainer.free();
  }
}

export const cases: GpuCase[] = [
  {
    name: `${STEPS} steps in f16 end within 1 % of f32's loss`,
    needs: "shader-f16",
    run: async (gpu) => {
      const full = await train(gpu, "f32");
      const half = await train(gpu, "f16");
      const chance = Math.log(VOCABULARY);
      assert.ok(full.trainLoss < 0.6 * chance, `f32 learnt something: ${full.trainLoss} of ${chance}`);
      for (const name of ["trainLoss", "validationLoss"] as const) {
        const relative = Math.abs(half[name] / full[name] - 1);
        assert.ok(relative < 0.01, `${name}: ${half[name]} in f16, ${full[name]} in f32`);
      }
      assert.ok(half.skipped < STEPS / 50, `${half.skipped} steps skipped`);
    },
  },
];
