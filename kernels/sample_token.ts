import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./sample_token.wgsl" with { type: "text" };
import random from "./shared/random.wgsl" with { type: "text" };

/** Appends one token, drawn from softmax(logits (1, V) / temperature) over the `top_k` likeliest. */
export const sampleToken = defineKernel({
  name: "sample_token",
  source: source + random,
  bindings: { logits: "matrix", state: "read_write", tokens: "read_write", output: "read_write" },
  dims: { vocabulary: "u32", context: "u32", top_k: "u32", temperature: "f32" },
  variants: [{ name: "one workgroup", workgroups: () => 1 }],
  cost: ({ vocabulary }) => ({ flops: 10 * vocabulary, bytes: 4 * vocabulary }),
});
