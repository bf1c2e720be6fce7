import { describe, type Description, deviceLimits, SOFTWARE_LIMITS } from "../model/describe.ts";
import {
  contradictions,
  type CorpusFacts,
  type Refusal,
  refusals,
  resolveRunConfig,
  type RunConfig,
  type RunRequest,
  splitTokens,
  windowsIn,
  workloadOf,
} from "../train/config.ts";
import type { DeviceInfo } from "../train/protocol.ts";
import { UnprocessableError } from "../errors.ts";
import type { Dataset } from "./datasets.ts";
import { type Estimate, estimateRun } from "./estimate.ts";

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
  const { config, description, problems, shortage } = judge(request, dataset, device);
  if (problems.length > 0) throw impossible(problems, shortage);
  return { config, description };
}

export interface RunPlan {
  parameters: number;
  flops_per_step: number;
  bytes: Description["bytes"];
  fits: boolean;
  estimated_seconds_per_step: number | null;
  estimated_seconds: number | null;
  /** Why a run of this body would be refused. */
  problems: Refusal[];
  /** Drawbacks that do not forbid the run. */
  warnings: Refusal[];
  notes: string[];
}

/**
 * Says what a run would take, trainable here or not: `problems` is what `admit` would refuse it for.
 * @param measuredStepMs what a step of a run of this shape took here
 * @throws {UnprocessableError} if the configuration contradicts itself, as `admit` would
 */
export function planRun(
  request: RunRequest,
  dataset: Dataset,
  device: DeviceInfo | null,
  measuredStepMs: (config: RunConfig) => number | null = () => null,
): RunPlan {
  const { config, description, problems, shortage, corpus } = judge(request, dataset, device);
  if (contradictions(config).length > 0) throw impossible(problems, shortage);
  const { validation } = splitTokens(corpus.tokens, config.validation_fraction);
  const validationBatches = Math.ceil(windowsIn(validation, config.context_length) / config.batch_size);
  const measured = measuredStepMs(config);
  const estimate = device && estimateRun(config, description, device, { validationBatches, measuredStepMs: measured });
  const notes = problems.map(({ path, message }) => `${path}: ${message}`);
  if (device === null) notes.push("this machine has no GPU, so nothing fits it");
  else if (measured === null) notes.push("the estimates follow from the device's measured speed");
  else notes.push("the estimates follow from an earlier run of this shape");
  return {
    parameters: description.parameters,
    flops_per_step: description.flopsPerStep,
    bytes: description.bytes,
    fits: device !== null && problems.length === 0,
    estimated_seconds_per_step: estimate?.secondsPerStep ?? null,
    estimated_seconds: estimate?.seconds ?? null,
    problems,
    warnings: warningsOf(config, description, device, estimate),
    notes,
  };
}

interface Judgement extends Admitted {
  corpus: CorpusFacts;
  /** Every reason why the run is impossible here. */
  problems: Refusal[];
  /** The problem about memory, if it is among them. */
  shortage: Shortage | null;
}

/** The one place that says what is possible: creating a run and planning it cannot disagree. */
function judge(request: RunRequest, dataset: Dataset, device: DeviceInfo | null): Judgement {
  const corpus = corpusFacts(request, dataset);
  const config = resolveRunConfig(request, corpus);
  const description = describeRun(config, device);
  const shortage = device && shortageOf(description, device);
  const problems = [...refusals(config, corpus), ...(device ? deviceRefusals(config, device) : [])];
  if (shortage) problems.push({ path: shortage.path, message: shortage.message });
  return { config, description, corpus, problems, shortage };
}

function impossible(problems: readonly Refusal[], shortage: Shortage | null): UnprocessableError {
  const errors = problems.map(({ path, message }) => ({ path, message }));
  const detail = shortage && problems.length === 1 ? shortage.message : "this run is impossible; see errors";
  return new UnprocessableError(
    detail,
    errors,
    shortage ? { bytes_needed: shortage.needed, bytes_available: shortage.available } : undefined,
  );
}

/** A run past this is worth a word before it is started. */
const LONG_SECONDS = 3600;
/** Past this share of the memory, what else the machine does may stop the run. */
const TIGHT_SHARE = 0.8;

function warningsOf(
  config: RunConfig,
  { bytes }: Description,
  device: DeviceInfo | null,
  estimate: Estimate | null,
): Refusal[] {
  const warnings: Refusal[] = [];
  if (estimate && estimate.seconds > LONG_SECONDS) {
    const suggestion = Math.floor(0.9 * config.max_steps * LONG_SECONDS / estimate.seconds);
    warnings.push({
      path: "max_steps",
      message: `the run takes about ${inWords(estimate.seconds)} on this device (${device?.name})`,
      ...(suggestion > 0 ? { suggestion } : {}),
    });
  }
  const memory = device?.memoryBytes ?? null;
  if (memory !== null && bytes.total <= memory && bytes.total > TIGHT_SHARE * memory) {
    const half = Math.floor(config.batch_size / 2);
    const helps = half > 0 && trainingBytes({ ...config, batch_size: half }, device) <= TIGHT_SHARE * memory;
    warnings.push({
      path: "batch_size",
      message: `the run takes ${Math.round(100 * bytes.total / memory)} % of the memory that runs may have`,
      ...(helps ? { suggestion: half } : {}),
    });
  }
  return warnings;
}

/** The largest unit of which there are two: "19 hours", "182 days". */
function inWords(seconds: number): string {
  const units = [["years", 365 * 86_400], ["days", 86_400], ["hours", 3600], ["minutes", 60]] as const;
  const [name, size] = units.find(([, size]) => seconds >= 2 * size) ?? ["seconds", 1];
  return `${Math.round(seconds / size)} ${name}`;
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
  const estimate = estimateRun(config, describeRun(config, device), device, {
    validationBatches: 0,
    measuredStepMs: null,
  });
  return 1000 * (estimate?.secondsPerStep ?? 0);
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
