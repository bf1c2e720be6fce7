import type { ModelConfig } from "./config.ts";

/** One learned tensor: the only table of names, shapes, initial values and decay. */
export interface ParameterSpec {
  /** Hugging Face's name, which is also the checkpoint's. */
  name: string;
  /** Linear weights are stored (in, out), as GPT-2's Conv1D has them. */
  shape: readonly number[];
  init: { kind: "normal"; std: number } | { kind: "constant"; value: number };
  /** Weight decay applies: tensors of two or more dimensions. */
  decay: boolean;
  /** False for the biases of a model without: they stay zero, so that kernels and file formats need no second form. */
  trained: boolean;
  /** May be split by rows over several bindings. */
  splittable: boolean;
}

const INIT_STD = 0.02;

/** Every parameter of a GPT-2, in the model's order. */
export function parameterTable(config: ModelConfig): ParameterSpec[] {
  const { n_layer, n_embd: C, vocab_size: V, context_length: T } = config;
  const weight = (name: string, shape: number[], std = INIT_STD): ParameterSpec => ({
    name: `${name}.weight`,
    shape,
    init: { kind: "normal", std },
    decay: true,
    trained: true,
    splittable: name === "transformer.wte",
  });
  const vector = (name: string, size: number, value: number, trained: boolean): ParameterSpec => ({
    name,
    shape: [size],
    init: { kind: "constant", value },
    decay: false,
    trained,
    splittable: false,
  });
  const layerNorm = (name: string) => [
    vector(`${name}.weight`, C, 1, true),
    vector(`${name}.bias`, C, 0, config.bias),
  ];
  const linear = (name: string, inputs: number, outputs: number, std?: number) => [
    weight(name, [inputs, outputs], std),
    vector(`${name}.bias`, outputs, 0, config.bias),
  ];
  // GPT-2 scales what adds to the residual stream by the number of additions.
  const residualStd = INIT_STD / Math.sqrt(2 * n_layer);
  const block = (name: string) => [
    ...layerNorm(`${name}.ln_1`),
    ...linear(`${name}.attn.c_attn`, C, 3 * C),
    ...linear(`${name}.attn.c_proj`, C, C, residualStd),
    ...layerNorm(`${name}.ln_2`),
    ...linear(`${name}.mlp.c_fc`, C, 4 * C),
    ...linear(`${name}.mlp.c_proj`, 4 * C, C, residualStd),
  ];
  return [
    weight("transformer.wte", [V, C]),
    weight("transformer.wpe", [T, C]),
    ...Array.from({ length: n_layer }, (_, layer) => block(`transformer.h.${layer}`)).flat(),
    ...layerNorm("transformer.ln_f"),
  ];
}
