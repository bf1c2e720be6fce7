import { describe, type Description, deviceLimits, SOFTWARE_LIMITS } from "../model/describe.ts";
import {
  contradictions,
  type CorpusFacts,
  type Refusal,
  refusals,
  resolveRunConfig,
  type RunConfig,
  type RunRequest,
  workloadOf,
} from "../train/config.ts";
import type { DeviceInfo } from "../train/protocol.ts";
import { UnprocessableError } from "../errors.ts";
import type { Dataset } from "./datasets.ts";

/** A configuration and what it asks of the device. */
export interface Admitted {
  config: RunConfig;
  description: Description;
}

/**
 * Decides whether a run can be done here, by arithmetic alone.
 * @throws {UnprocessableError} with every reason; with the bytes needed and available where it does not fit
 */
export function admit(request: RunRequest, dataset: Dataset, device: DeviceInfo): Admitted {
  const corpus = corpusFacts(request, dataset);
  const config = resolveRunConfig(request, corpus);
  const found = [...refusals(config, corpus), ...deviceRefusals(config, device)];
  if (found.length > 0) throw new UnprocessableError("this run is impossible; see errors", found);
  const description = describeRun(config, device);
  const shortage = shortageOf(description, device);
  if (shortage) {
    throw new UnprocessableError(shortage.message, [{ path: shortage.path, message: shortage.message }], {
      bytes_needed: shortage.needed,
      bytes_available: shortage.available,
    });
  }
  return { config, description };
}

export interface RunPlan {
  parameters: number;
  flops_per_step: number;
  bytes: Description["bytes"];
  fits: boolean;
  estimated_seconds_per_step: number | null;
  notes: string[];
}

/**
 * What a run would take, trainable here or not.
 * @throws {UnprocessableError} where the configuration contradicts itself
 */
export function planRun(request: RunRequest, dataset: Dataset, device: DeviceInfo | null): RunPlan {
  const corpus = corpusFacts(request, dataset);
  const config = resolveRunConfig(request, corpus);
  const impossible = contradictions(config);
  if (impossible.length > 0) {
    throw new UnprocessableError("the configuration contradicts itself; see errors", impossible);
  }
  const description = describeRun(config, device);
  const shortage = device && shortageOf(description, device);
  const refused = [...refusals(config, corpus), ...(device ? deviceRefusals(config, device) : [])];
  const notes = refused.map(({ path, message }) => `${path}: ${message}`);
  if (shortage) notes.push(shortage.message);
  if (device === null) notes.push("this machine has no GPU, so nothing fits it");
  else notes.push("estimated_seconds_per_step assumes the device's measured matrix multiplication speed throughout");
  return {
    parameters: description.parameters,
    flops_per_step: description.flopsPerStep,
    bytes: description.bytes,
    fits: device !== null && shortage === null,
    estimated_seconds_per_step: device && device.measured.gflops > 0
      ? description.flopsPerStep / (device.measured.gflops * 1e9)
      : null,
    notes,
  };
}

/** What a run takes of the device while it trains. Bytes. */
export function trainingBytes(config: RunConfig, device: DeviceInfo | null): number {
  return describeRun(config, device).bytes.total;
}

/** What a checkpoint holds, but for its small files. Bytes. */
export function modelBytes(config: RunConfig): number {
  const { parameters, optimizer } = describeRun(config, null).bytes;
  return parameters + optimizer;
}

/** What a step should take at the device's measured speed. Ms. */
export function estimatedStepMs(config: RunConfig, device: DeviceInfo): number {
  return describeRun(config, device).flopsPerStep / (device.measured.gflops * 1e6);
}

function describeRun(config: RunConfig, device: DeviceInfo | null): Description {
  return describe(workloadOf(config), deviceLimits(device));
}

/** What the device cannot do, whatever its size. */
function deviceRefusals(config: RunConfig, { name, features, software }: DeviceInfo): Refusal[] {
  const found: Refusal[] = [];
  if (config.precision === "f16" && !features.includes("shader-f16")) {
    found.push({ path: "precision", message: `the device (${name}) has no shader-f16; use "f32"` });
  }
  const rows = config.batch_size * config.context_length;
  if (software && rows > SOFTWARE_LIMITS.rows) {
    found.push({
      path: "batch_size",
      message:
        `batch_size × context_length is ${rows}, and a software adapter (${name}) takes ${SOFTWARE_LIMITS.rows} ` +
        "at most: lower either, and raise gradient_accumulation_steps",
    });
  }
  if (software && config.tokenizer.vocab_size > SOFTWARE_LIMITS.vocabulary) {
    found.push({
      path: "tokenizer.vocab_size",
      message: `a software adapter (${name}) takes a vocabulary of ${SOFTWARE_LIMITS.vocabulary} at most`,
    });
  }
  return found;
}

interface Shortage extends Refusal {
  needed: number;
  available: number;
}

function shortageOf(
  { bytes, largestBindingBytes, largestBufferBytes }: Description,
  device: DeviceInfo,
): Shortage | null {
  const say = (what: string, needed: number, has: string, available: number): Shortage => ({
    path: "model",
    needed,
    available,
    message: `${what} ${needed} bytes, and the device (${device.name}) ${has} ${available}: ` +
      "lower batch_size, context_length, n_layer or n_embd",
  });
  const binding = device.limits.maxStorageBufferBindingSize;
  if (device.memoryBytes !== null && bytes.total > device.memoryBytes) {
    return say("the run needs", bytes.total, "has", device.memoryBytes);
  }
  if (largestBindingBytes > binding) return say("one tensor needs", largestBindingBytes, "binds at most", binding);
  const { maxBufferSize } = device.limits;
  if (largestBufferBytes > maxBufferSize) {
    return say("one buffer needs", largestBufferBytes, "allows at most", maxBufferSize);
  }
  return null;
}

/** Tokens of a subword vocabulary are not known before it is trained: four bytes a token is usual for English. */
const BYTES_A_SUBWORD = 4;

function corpusFacts(request: RunRequest, dataset: Dataset): CorpusFacts {
  const tokens = {
    char: dataset.characters,
    byte: dataset.bytes,
    bpe: Math.ceil(dataset.bytes / BYTES_A_SUBWORD),
    gpt2: Math.ceil(dataset.bytes / BYTES_A_SUBWORD),
  }[request.tokenizer.kind];
  return { name: dataset.name, distinctCharacters: dataset.distinct_characters, tokens };
}
