import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./elementwise.wgsl" with { type: "text" };
import gelu from "./shared/gelu.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

function elementwise(name: string, map: string, flopsPerElement: number) {
  return defineKernel({
    name,
    source: source + map,
    bindings: { x: "matrix", y: "matrix_write" },
    dims: { rows: "u32", columns: "u32" },
    variants: tileVariants(({ rows, columns }: Record<"rows" | "columns", number>) => ({ rows, columns })),
    cost: ({ rows, columns }) => ({ flops: flopsPerElement * rows * columns, bytes: 8 * rows * columns }),
  });
}

/** y (rows, columns) = x, in any storage: weights as products read them fastest. */
export const copyMatrix = elementwise(
  "copy_matrix",
  "\nfn map(value: vec4<f32>) -> vec4<f32> { return value; }\n",
  0,
);

/** y (rows, columns) = GELU(x), tanh form: what software adapters do after the product, where a card does it within. */
export const geluForward = elementwise(
  "gelu_forward",
  `\nfn map(value: vec4<f32>) -> vec4<f32> { return gelu(value); }\n${gelu}`,
  10,
);
