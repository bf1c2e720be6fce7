import type { Gpu } from "#src/gpu/device.ts";
import { type AdapterTraits, defineKernel, type Kernel, type Variant } from "#src/gpu/kernel.ts";

/**
 * `kernel` as it would run on `dims` on a software adapter and on a card, without subgroups and, where `gpu` has them,
 * with its own: each choice pinned, so that a test on one kind of adapter covers the code meant for the other.
 */
export function variantsOf<B extends string, D extends string>(
  kernel: Kernel<B, D>,
  dims: Record<NoInfer<D>, number>,
  { traits }: Pick<Gpu, "traits">,
): { name: string; kernel: Kernel<B, D> }[] {
  const adapters: AdapterTraits[] = [...new Set([null, traits.subgroupSize])].flatMap((subgroupSize) => [
    { software: true, subgroupSize },
    { software: false, subgroupSize },
  ]);
  const chosen = kernel.variants.filter(({ when }) =>
    when === undefined || adapters.some((adapter) => when(dims, adapter))
  );
  return chosen.map((variant) => pinned(kernel, variant));
}

/** `kernel`'s variants with `part` in their names, whatever dims they are meant for: large tiles on small matrices. */
export function variantsNamed<B extends string, D extends string>(
  kernel: Kernel<B, D>,
  part: string,
): ReturnType<typeof variantsOf<B, D>> {
  return kernel.variants.filter(({ name }) => name.includes(part)).map((variant) => pinned(kernel, variant));
}

function pinned<B extends string, D extends string>(kernel: Kernel<B, D>, variant: Variant<D>) {
  return {
    name: `${kernel.name} (${variant.name})`,
    kernel: defineKernel<B, D>({ ...kernel, variants: [{ ...variant, when: undefined }] }),
  };
}
