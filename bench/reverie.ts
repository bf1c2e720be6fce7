/**
 * Reverie as a participant: see `bench/child.ts`. Its first argument is a workload's name, from which the shape follows;
 * the second is `tuned` or `untuned`.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { pinBackend } from "../src/gpu/backend.ts";
import { Gpu } from "../src/gpu/device.ts";
import { createTrainer } from "./trainer.ts";
import { randomBatches, WORKLOADS } from "./workloads.ts";

const config = WORKLOADS[process.argv[2] as keyof typeof WORKLOADS];
pinBackend();
const gpu = await Gpu.open(navigator.gpu);
const { trainer, about } = await createTrainer(gpu, config, { tuning: process.argv[3] === "tuned" });
const batches = randomBatches(config);
const dispatches = [trainer.plans.microStep, trainer.plans.update].flatMap((plan) => plan.dispatches);
answer({
  ready: `${gpu.identity.name}, ${about}`,
  flops: dispatches.reduce((sum, { cost }) => sum + cost.flops, 0),
  dispatches: dispatches.length,
});

for await (const line of createInterface({ input: process.stdin })) {
  const { steps } = JSON.parse(line);
  const start = performance.now();
  let loss = NaN;
  for (let done = 0; done < steps;) {
    const burst = Math.min(steps - done, trainer.mostSteps);
    loss = (await trainer.train(batches, burst)).at(-1)!.loss;
    done += burst;
  }
  answer({ elapsedMs: performance.now() - start, loss });
}
gpu.close();

function answer(message: unknown): void {
  console.log(JSON.stringify(message));
}
