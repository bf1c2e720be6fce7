import { defineKernel, type Kernel } from "#src/gpu/kernel.ts";

/**
 * `kernel` as it would run on `dims` on a software adapter and on a card: each choice pinned, so that a test on one
 * kind of adapter covers the code meant for the other.
 */
export function variantsOf<B extends string, D extends string>(
  kernel: Kernel<B, D>,
  dims: Record<NoInfer<D>, number>,
): { name: string; kernel: Kernel<B, D> }[] {
  const chosen = kernel.variants.filter(({ when }) =>
    when === undefined || when(dims, { software: true }) || when(dims, { software: false })
  );
  return chosen.map((variant) => ({
    name: `${kernel.name} (${variant.name})`,
    kernel: defineKernel({ ...kernel, variants: [{ ...variant, when: undefined }] }),
  }));
}
