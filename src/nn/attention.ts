import { attentionBackwardKeyValue } from "#kernels/attention_backward_key_value.ts";
import { attentionBackwardQuery } from "#kernels/attention_backward_query.ts";
import { attentionForward } from "#kernels/attention_forward.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { BufferRange, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

export interface AttentionDims {
  batch: number;
  heads: number;
  context: number;
  /** D = C / H. Where it is no multiple of 4, matrices are stored as scalars: heads do not begin at whole vec4s. */
  head_size: number;
  /** Which dropout of the model this is: distinct sites draw distinct masks. */
  site: number;
  /** Probability of dropping an attention weight. */
  dropout: number;
}

/** y (N, C) = causal attention over qkv (N, 3C); keeps the log-sum-exp (B, H, T), never the probabilities. */
export function recordAttentionForward(
  plan: Plan,
  { step, qkv, y, lse }: { step: BufferRange; qkv: Matrix; y: Matrix; lse: Tensor },
  dims: AttentionDims,
): void {
  plan.record(attentionForward, { step, qkv, y, lse }, dims);
}

/** dqkv (N, 3C) from dy (N, C); `delta` (B, H, T) is scratch. */
export function recordAttentionBackward(
  plan: Plan,
  { step, qkv, y, lse, dy, delta, dqkv }: {
    step: BufferRange;
    qkv: Matrix;
    y: Matrix;
    lse: Tensor;
    dy: Matrix;
    delta: Tensor;
    dqkv: Matrix;
  },
  dims: AttentionDims,
): void {
  plan.record(attentionBackwardQuery, { step, qkv, y, dy, lse, delta, dqkv }, dims);
  plan.record(attentionBackwardKeyValue, { step, qkv, dy, lse, delta, dqkv }, dims);
}
