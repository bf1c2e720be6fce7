import { parseArgs } from "node:util";
import { TrainingBatches } from "../src/data/batches.ts";
import { Random } from "../src/data/random.ts";
import { pinBackend } from "../src/gpu/backend.ts";
import { Gpu } from "../src/gpu/device.ts";
import { type KernelTime, profile } from "../src/gpu/timing.ts";
import type { RunConfig } from "../src/train/config.ts";
import { reportDevice } from "../src/train/device_report.ts";
import { Trainer } from "../src/train/trainer.ts";
import { CORPUS_TOKENS, WORKLOADS } from "./workloads.ts";

/**
 * `deno task bench [S] [M] [L]` (default S and M): milliseconds a training step, tokens/s, GFLOP/s, their share of the
 * adapter's measured matmul, and each kernel's share of the step.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { steps: { type: "string", default: "10" } },
});

pinBackend();
const gpu = await Gpu.open(navigator.gpu);
const device = await reportDevice(gpu);
const { gflops, gigabytesPerSecond } = device.measured;
console.log(`${device.name} (${device.software ? "software" : "hardware"})`);
console.log(`measured: matmul ${gflops.toFixed(1)} GFLOP/s, copy ${gigabytesPerSecond.toFixed(1)} GB/s\n`);
for (const name of positionals.length > 0 ? positionals : ["S", "M"]) {
  const config = WORKLOADS[name as keyof typeof WORKLOADS];
  if (!config) throw new Error(`there is no workload ${name}: ${Object.keys(WORKLOADS).join(", ")}`);
  await benchStep(name, config, Number(values.steps));
}
gpu.close();

async function benchStep(name: string, config: RunConfig, steps: number): Promise<void> {
  const { model, batch_size: B, context_length: T, tokenizer } = config;
  const trainer = await Trainer.create(gpu, config);
  const batches = randomBatches(config);
  const firstMs = await time(() => trainer.train(batches, 1));
  await trainer.train(batches, 1);
  const times: number[] = [];
  for (let i = 0; i < steps; i++) times.push(await time(() => trainer.train(batches, 1)));
  const plans = [trainer.plans.microStep, trainer.plans.update];
  const costs = plans.flatMap(({ dispatches }) => dispatches).map(({ cost }) => cost);
  const flops = costs.reduce((sum, cost) => sum + cost.flops, 0);
  const ms = median(times);
  const rate = flops / ms / 1e6;
  console.log(
    `${name}: ${model.n_layer} layers, ${model.n_head} heads, ${model.n_embd} wide, T ${T}, B ${B}, V ${tokenizer.vocab_size}`,
  );
  console.log(
    `  ${ms.toFixed(1)} ms a step (median of ${steps}; ${Math.min(...times).toFixed(1)}–${
      Math.max(...times).toFixed(1)
    }), first ${firstMs.toFixed(0)} ms, ${costs.length} dispatches`,
  );
  console.log(
    `  ${(1000 * B * T / ms).toFixed(0)} tokens/s, ${rate.toFixed(1)} GFLOP/s (${(flops / 1e9).toFixed(2)} GFLOP), ` +
      `${(100 * rate / gflops).toFixed(0)} % of the measured matmul\n`,
  );
  if (gpu.device.features.has("timestamp-query")) printKernels(await profile(gpu, plans));
  else console.log("  no shares of kernels: the adapter has no timestamp queries\n");
  trainer.free();
}

function printKernels(kernels: readonly KernelTime[]): void {
  const profiled = kernels.reduce((sum, kernel) => sum + kernel.elapsedMs, 0);
  console.log("  kernel                          share      ms  dispatches  GFLOP/s    GB/s");
  for (const kernel of kernels) {
    console.log(
      `  ${kernel.name.padEnd(30)} ${(100 * kernel.elapsedMs / profiled).toFixed(1).padStart(5)} %` +
        `${kernel.elapsedMs.toFixed(2).padStart(8)}${String(kernel.dispatches).padStart(12)}` +
        `${(kernel.flops / kernel.elapsedMs / 1e6).toFixed(1).padStart(9)}` +
        `${(kernel.bytes / kernel.elapsedMs / 1e6).toFixed(1).padStart(8)}`,
    );
  }
  console.log();
}

function randomBatches(config: RunConfig): TrainingBatches {
  const random = new Random(config.seed, 0);
  const tokens = Uint32Array.from({ length: CORPUS_TOKENS }, () => random.below(config.tokenizer.vocab_size));
  const source = {
    length: CORPUS_TOKENS,
    read: (offset: number, count: number) => tokens.subarray(offset, offset + count),
  };
  return new TrainingBatches(source, {
    contextLength: config.context_length,
    batchSize: config.batch_size,
    seed: config.seed,
  });
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
