import { attention, attentionBackward } from "./attention.ts";
import { crossEntropy, crossEntropyBackward } from "./cross_entropy.ts";
import { dropout, dropoutBackward } from "./dropout.ts";
import { embedding, embeddingBackward } from "./embedding.ts";
import { gelu, geluBackward } from "./gelu.ts";
import { layernorm, layernormBackward } from "./layernorm.ts";
import { linear, linearBackward } from "./linear.ts";
import { matmul, matmulBackward } from "./matmul.ts";
import { residual } from "./residual.ts";

/** Tensors by Hugging Face's GPT-2 names; matrices are (in, out). A model without biases has no `.bias` entries. */
export type Tensors = Map<string, Float64Array>;

export interface Gpt2Dims {
  B: number;
  T: number;
  L: number;
  H: number;
  C: number;
  V: number;
}

/** Dropout factors, each (B, T, C) but `attention`, which is (B, H, T, T). What is left out drops nothing. */
export interface Gpt2Masks {
  embedding?: Float64Array;
  layers: { attention?: Float64Array; afterAttention?: Float64Array; afterMlp?: Float64Array }[];
}

/** What a block's backward pass needs of its forward pass. */
interface Block {
  input: Float64Array;
  normed1: Float64Array;
  qkv: Float64Array;
  heads: Float64Array;
  middle: Float64Array;
  normed2: Float64Array;
  hidden: Float64Array;
  activated: Float64Array;
}

const NO_MASKS: Gpt2Masks = { layers: [] };

/** Shapes of every parameter, in Hugging Face's order. F is 4·C. */
export function gpt2Shapes({ T, L, C, V }: Gpt2Dims, bias = true): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const add = (name: string, weight: number[]) => {
    shapes.set(`transformer.${name}.weight`, weight);
    if (bias) shapes.set(`transformer.${name}.bias`, weight.slice(-1));
  };
  shapes.set("transformer.wte.weight", [V, C]);
  shapes.set("transformer.wpe.weight", [T, C]);
  for (let i = 0; i < L; i++) {
    add(`h.${i}.ln_1`, [C]);
    add(`h.${i}.attn.c_attn`, [C, 3 * C]);
    add(`h.${i}.attn.c_proj`, [C, C]);
    add(`h.${i}.ln_2`, [C]);
    add(`h.${i}.mlp.c_fc`, [C, 4 * C]);
    add(`h.${i}.mlp.c_proj`, [4 * C, C]);
  }
  add("ln_f", [C]);
  return shapes;
}

/** Logits (B·T, V) of tokens (B, T). */
export function gpt2Logits(
  parameters: Tensors,
  tokens: Uint32Array,
  dims: Gpt2Dims,
  masks: Gpt2Masks = NO_MASKS,
): Float64Array {
  return forward(parameters, tokens, dims, masks).logits;
}

/** The mean loss of `targets` (B, T) in nats. */
export function gpt2Loss(
  parameters: Tensors,
  tokens: Uint32Array,
  targets: Uint32Array,
  dims: Gpt2Dims,
  masks: Gpt2Masks = NO_MASKS,
): number {
  return crossEntropy(gpt2Logits(parameters, tokens, dims, masks), targets, { N: dims.B * dims.T, V: dims.V }).loss;
}

/** The mean loss and its gradient by every parameter; the tied table gathers those of both its uses. */
export function gpt2LossAndGradients(
  parameters: Tensors,
  tokens: Uint32Array,
  targets: Uint32Array,
  dims: Gpt2Dims,
  masks: Gpt2Masks = NO_MASKS,
): { loss: number; gradients: Tensors } {
  const { B, T, L, C, V } = dims;
  const N = B * T;
  const weight = (name: string) => parameterOf(parameters, name);
  const gradients: Tensors = new Map([...parameters].map(([name, p]) => [name, new Float64Array(p.length)]));
  const add = (name: string, gradient: Float64Array) => {
    const total = gradients.get(name); // undefined for the bias of a model that has none
    if (total) { for (let i = 0; i < total.length; i++) total[i] += gradient[i]; }
  };
  const normBackward = (name: string, dOut: Float64Array, x: Float64Array) => {
    const { dX, dWeight, dBias } = layernormBackward(dOut, x, weight(`${name}.weight`), { N, C });
    add(`${name}.weight`, dWeight);
    add(`${name}.bias`, dBias);
    return dX;
  };
  const projectBackward = (name: string, dOut: Float64Array, x: Float64Array) => {
    const layer = { N, inputs: x.length / N, outputs: dOut.length / N };
    const { dX, dWeight, dBias } = linearBackward(dOut, x, weight(`${name}.weight`), layer);
    add(`${name}.weight`, dWeight);
    add(`${name}.bias`, dBias);
    return dX;
  };

  const { blocks, last, normed, logits } = forward(parameters, tokens, dims, masks);
  const { loss } = crossEntropy(logits, targets, { N, V });
  const dLogits = crossEntropyBackward(logits, targets, { N, V });
  const table = weight("transformer.wte.weight");
  const head = matmulBackward("nt", dLogits, normed, table, { M: N, N: V, K: C });
  add("transformer.wte.weight", head.dB);
  let dX = normBackward("transformer.ln_f", head.dA, last);

  for (let i = L - 1; i >= 0; i--) {
    const block = blocks[i];
    const name = `transformer.h.${i}`;
    const mask = masks.layers[i] ?? {};
    const dActivated = projectBackward(`${name}.mlp.c_proj`, dropoutBackward(dX, mask.afterMlp), block.activated);
    const dHidden = geluBackward(dActivated, block.hidden);
    const dNormed2 = projectBackward(`${name}.mlp.c_fc`, dHidden, block.normed2);
    dX = residual(dX, normBackward(`${name}.ln_2`, dNormed2, block.middle));
    const dHeads = projectBackward(`${name}.attn.c_proj`, dropoutBackward(dX, mask.afterAttention), block.heads);
    const dQkv = attentionBackward(dHeads, block.qkv, dims, mask.attention);
    const dNormed1 = projectBackward(`${name}.attn.c_attn`, dQkv, block.normed1);
    dX = residual(dX, normBackward(`${name}.ln_1`, dNormed1, block.input));
  }

  const lengths = { token: table.length, position: weight("transformer.wpe.weight").length };
  const tables = embeddingBackward(dropoutBackward(dX, masks.embedding), tokens, lengths, dims);
  add("transformer.wte.weight", tables.dTokenTable);
  add("transformer.wpe.weight", tables.dPositionTable);
  return { loss, gradients };
}

function forward(parameters: Tensors, tokens: Uint32Array, dims: Gpt2Dims, masks: Gpt2Masks) {
  const { B, T, L, C, V } = dims;
  const N = B * T;
  const weight = (name: string) => parameterOf(parameters, name);
  const norm = (name: string, x: Float64Array) =>
    layernorm(x, weight(`${name}.weight`), parameters.get(`${name}.bias`) ?? null, { N, C }).out;
  const project = (name: string, x: Float64Array, outputs: number) => {
    const layer = { N, inputs: x.length / N, outputs };
    return linear(x, weight(`${name}.weight`), parameters.get(`${name}.bias`) ?? null, layer);
  };

  const table = weight("transformer.wte.weight");
  let x = dropout(embedding(tokens, table, weight("transformer.wpe.weight"), dims), masks.embedding);
  const blocks: Block[] = [];
  for (let i = 0; i < L; i++) {
    const name = `transformer.h.${i}`;
    const mask = masks.layers[i] ?? {};
    const input = x;
    const normed1 = norm(`${name}.ln_1`, input);
    const qkv = project(`${name}.attn.c_attn`, normed1, 3 * C);
    const heads = attention(qkv, dims, mask.attention).out;
    const middle = residual(input, dropout(project(`${name}.attn.c_proj`, heads, C), mask.afterAttention));
    const normed2 = norm(`${name}.ln_2`, middle);
    const hidden = project(`${name}.mlp.c_fc`, normed2, 4 * C);
    const activated = gelu(hidden);
    x = residual(middle, dropout(project(`${name}.mlp.c_proj`, activated, C), mask.afterMlp));
    blocks.push({ input, normed1, qkv, heads, middle, normed2, hidden, activated });
  }
  const normed = norm("transformer.ln_f", x);
  return { blocks, last: x, normed, logits: matmul("nt", normed, table, { M: N, N: V, K: C }) };
}

function parameterOf(parameters: Tensors, name: string): Float64Array {
  const parameter = parameters.get(name);
  if (!parameter) throw new Error(`no parameter named ${name}`);
  return parameter;
}
