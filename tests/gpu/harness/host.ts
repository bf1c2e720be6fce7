/**
 * Runs the cases of one module on this process's WebGPU implementation: Deno's own, or Dawn when Bun runs the file.
 * Arguments: the case module's URL. Case names arrive on stdin, answers leave on stdout, a JSON value a line each.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { pinBackend } from "#src/gpu/backend.ts";
import { Gpu } from "#src/gpu/device.ts";
import type { GpuCase } from "./gpu_case.ts";

export type Answer =
  | { type: "ready"; adapter: string }
  | { type: "passed" }
  /** The adapter lacks what the case needs. */
  | { type: "not_run"; lacks: string }
  | { type: "failed"; stack: string };

// Standard output carries answers alone; what a case prints goes where the parent keeps it for failures.
console.log = console.info = console.debug = console.error;

const answer = (value: Answer) => process.stdout.write(JSON.stringify(value) + "\n");

/** @returns Deno's implementation, or Dawn's with its classes and constants made global, as in a browser */
async function openImplementation(): Promise<GPU> {
  if (process.versions.bun === undefined) return navigator.gpu;
  const dawn = await import("webgpu");
  Object.assign(globalThis, dawn.globals);
  return dawn.create([]);
}

async function runCase(implementation: GPU, shared: Gpu, testCase: GpuCase): Promise<Answer> {
  const { needs } = testCase;
  if (needs !== undefined && !shared.device.features.has(needs)) return { type: "not_run", lacks: needs };
  const gpu = testCase.limits ? await Gpu.open(implementation, testCase.limits) : shared;
  try {
    await testCase.run(gpu);
    // sync point: validation errors that nothing awaited arrive with the work they belong to
    await gpu.device.queue.onSubmittedWorkDone();
    gpu.check();
    return { type: "passed" };
  } finally {
    if (gpu !== shared) gpu.close();
  }
}

pinBackend();
const moduleUrl = process.argv[2];
if (moduleUrl === undefined) throw new Error("usage: host.ts CASE_MODULE_URL");
const { cases } = await import(moduleUrl) as { cases: GpuCase[] };
const implementation = await openImplementation();
let gpu = await Gpu.open(implementation);
answer({ type: "ready", adapter: gpu.identity.name });

for await (const line of createInterface({ input: process.stdin })) {
  const name = JSON.parse(line) as string;
  try {
    const testCase = cases.find((candidate) => candidate.name === name);
    if (!testCase) throw new Error(`${moduleUrl} has no case "${name}"`);
    answer(await runCase(implementation, gpu, testCase));
  } catch (error) {
    answer({ type: "failed", stack: error instanceof Error ? error.stack ?? error.message : String(error) });
    // What a failed case left behind must not reach the next one.
    gpu.close();
    gpu = await Gpu.open(implementation);
  }
}
gpu.close();
