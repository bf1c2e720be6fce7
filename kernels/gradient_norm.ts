import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./gradient_norm.wgsl" with { type: "text" };
import reduce from "./shared/reduce.wgsl" with { type: "text" };

/** norm (2) = the global L2 norm and the factor that clips it. */
export const gradientNorm = defineKernel({
  name: "gradient_norm",
  source: source + reduce,
  bindings: { partials: "read", loss_scale: "read", norm: "read_write" },
  dims: { partials: "u32", clip: "f32" },
  variants: [{ name: "one workgroup", constants: () => ({ WORKGROUP: 64 }), workgroups: () => 1 }],
  cost: ({ partials }) => ({ flops: partials, bytes: 4 * partials }),
});
