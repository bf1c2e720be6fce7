import { align, elements } from "../gpu/sizes.ts";
import { momentNames, partialCount } from "../nn/optimizer_sizes.ts";
import { activationBytes, activationTables, type Recompute, specsOf } from "./activations.ts";
import { recordLayout, stagedRecords } from "./batch_record.ts";
import { MAX_SAMPLE_TOKENS, type ModelConfig } from "./config.ts";
import { type BindingLimits, layOut } from "./layout.ts";
import { type ParameterSpec, parameterTable } from "./parameters.ts";
import { copyStorageOf, type Precision, storageOf, type StorageTraits } from "./storage.ts";

/**
 * What a run asks of a device, as arithmetic over the model's own tables: nothing is allocated. Beside it, a run takes at
 * most 32 MiB for reading back and as much host memory as the staging buffer.
 */
export interface Workload {
  model: ModelConfig;
  /** B: windows in a micro-step. */
  batchSize: number;
  gradientAccumulationSteps: number;
  optimizer: "adamw" | "sgd" | "muon";
  momentum: number;
  precision: Precision;
  recompute: Recompute;
}

/** What of a device decides how much a run takes. */
export type DeviceLimits = BindingLimits & StorageTraits;

/** The limits of a device that reports itself; WebGPU's guaranteed ones stand in for what it does not say. */
export function deviceLimits(device: { software: boolean; limits: Record<string, number> } | null): DeviceLimits {
  return {
    maxStorageBufferBindingSize: device?.limits.maxStorageBufferBindingSize ?? 128 * 2 ** 20,
    maxBufferSize: device?.limits.maxBufferSize ?? 256 * 2 ** 20,
    maxTextureDimension2D: device?.limits.maxTextureDimension2D ?? 8192,
    software: device?.software ?? false,
  };
}

/**
 * llvmpipe ends the loops of an invocation after 65,535 iterations of all of them together, and says nothing: a weight's
 * gradient takes 5/4 iterations a row of the batch, the loss of a row half of one a token of the vocabulary.
 */
export const SOFTWARE_LIMITS = { rows: 52_000, vocabulary: 130_000 } as const;

export interface Description {
  parameters: number;
  /** Of one optimizer step: 6·N + 12·L·C·T for each token (nanoGPT's estimate). */
  flopsPerStep: number;
  /** Dispatches of an optimizer step, of a validation batch and of a generated token, without dropout or recomputing. */
  dispatches: { step: number; evaluation: number; token: number };
  bytes: { parameters: number; gradients: number; optimizer: number; activations: number; total: number };
  /** The largest tensor that a kernel must bind whole; tables that can be split are not among them. */
  largestBindingBytes: number;
  /** The largest single buffer; arenas are spread over several. */
  largestBufferBytes: number;
}

/** Steps, or validation batches, whose metrics may wait in the ring. */
export const RING_STEPS = 64;
/** A step's metrics in the ring: loss total, gradient norm. */
export const RING_STEP_BYTES = 8;

/** Buffers of the trainer beside the model's activations, by name. Bytes. */
export function trainerBuffers(
  { model, batchSize, gradientAccumulationSteps }: Workload,
  regionBytes: readonly number[],
) {
  const rows = batchSize * model.context_length;
  const record = recordLayout(rows).bytes;
  return {
    record,
    staging: record * stagedRecords(rows, gradientAccumulationSteps),
    total: 4,
    norm: 8,
    lossScale: 8,
    partials: 4 * partialCount(regionBytes),
    ring: RING_STEPS * RING_STEP_BYTES,
    context: 4 * model.context_length,
    generationState: 12,
    generated: 4 * MAX_SAMPLE_TOKENS,
  };
}

export function describe(workload: Workload, limits: DeviceLimits): Description {
  const { model, batchSize, gradientAccumulationSteps, precision, recompute } = workload;
  const specs = parameterTable(model);
  const options = { batchSize, recompute, storageOf: storageOf(model, precision, limits) };
  const largestParameterBytes = specs.filter((spec) => !spec.splittable)
    .reduce((largest, { shape }) => Math.max(largest, 4 * elements(shape)), 0);
  const bound = ({ own, inTurn, shared }: ReturnType<typeof activationTables>) =>
    [own, inTurn, shared].flatMap(specsOf)
      .filter((spec) => spec.kind === "vector" || spec.storage.kind !== "texture");
  const largestBindingBytes = bound(activationTables(model, { ...options, tableIsSplit: true }))
    .reduce((largest, spec) => Math.max(largest, activationBytes(spec)), largestParameterBytes);
  // Past what a binding holds the layout is still wanted, as if bindings were larger: for the numbers of a refusal.
  const binding = Math.max(limits.maxStorageBufferBindingSize, largestBindingBytes, 4 * 64 * model.n_embd);
  const layout = layOut(specs, {
    ...limits,
    maxStorageBufferBindingSize: binding,
    maxBufferSize: Math.max(limits.maxBufferSize, align(binding)),
  });
  const arena = layout.blocks.reduce((sum, bytes) => sum + bytes, 0);
  const copies = layout.parameters.flatMap(({ spec, shards }) =>
    shards.map(({ rows }) => copyBytes(spec, spec.shape.length > 1 ? rows : 1, workload, limits))
  );
  const tableIsSplit = layout.parameters.some(({ spec, shards }) => spec.splittable && shards.length > 1);
  const { own, inTurn, shared } = activationTables(model, { ...options, tableIsSplit });
  const buffers = Object.values(trainerBuffers(workload, layout.regions.map(({ size }) => size)));
  const moments = workload.optimizer === "muon"
    ? 2
    : momentNames({ kind: workload.optimizer, momentum: workload.momentum }).length;
  const bytes = {
    parameters: copies.reduce((sum, bytes) => sum + bytes, arena),
    gradients: arena,
    optimizer: arena * moments,
    activations: model.n_layer * bytesOf(own) + bytesOf(inTurn) + bytesOf(shared) +
      buffers.reduce((sum, size) => sum + align(size), 0),
  };
  const parameters = specs.reduce((sum, spec) => sum + (spec.trained ? elements(spec.shape) : 0), 0);
  const tokens = batchSize * model.context_length * gradientAccumulationSteps;
  return {
    parameters,
    flopsPerStep: tokens * (6 * parameters + 12 * model.n_layer * model.n_embd * model.context_length),
    dispatches: dispatchesOf(model.n_layer, gradientAccumulationSteps),
    bytes: { ...bytes, total: bytes.parameters + bytes.gradients + bytes.optimizer + bytes.activations },
    largestBindingBytes,
    largestBufferBytes: align(Math.max(largestBindingBytes, ...buffers)),
  };
}

/** Counted in the plans of models of 1, 2, 4 and 12 layers. */
function dispatchesOf(L: number, microSteps: number): Description["dispatches"] {
  return { step: 5 + microSteps * (15 + 22 * L), evaluation: 7 + 8 * L, token: 5 + 8 * L };
}

function bytesOf(specs: Parameters<typeof specsOf>[0]): number {
  return specsOf(specs).reduce((sum, spec) => sum + activationBytes(spec), 0);
}

/** Of the copy of some rows of a parameter, where there is one. */
function copyBytes(spec: ParameterSpec, rows: number, { model, precision }: Workload, limits: DeviceLimits): number {
  const storage = copyStorageOf(spec, rows, model, precision, limits);
  const columns = spec.shape[spec.shape.length - 1];
  return storage ? activationBytes({ kind: "matrix", rows, columns, storage }) : 0;
}
