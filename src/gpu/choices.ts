import { type AdapterTraits, type BindingsOf, type Kernel, matrixNames, type Variant } from "./kernel.ts";
import { type Matrix, matrixShape } from "./matrix.ts";
import type { Dispatch } from "./plan.ts";

/**
 * Which variant runs a kernel on a shape, by `choiceKey`: what a tuner found, or what a run began with. A kernel that is
 * not in it takes the first variant that fits.
 */
export type Choices = Readonly<Record<string, string>>;

/** A kernel, the shape it runs on and how its matrices are stored. Null where a kernel has nothing to choose. */
export function choiceKey<B extends string, D extends string>(
  kernel: Kernel<B, D>,
  dims: Record<D, number>,
  bindings: BindingsOf<B>,
): string | null {
  if (!kernel.shape) return null;
  const storages = matrixNames(kernel.bindings).map((name) => matrixShape(bindings[name] as Matrix));
  return `${kernel.name} ${kernel.shape(dims)}: ${storages.join(", ")}`;
}

/** The chosen variant, where it is still there and fits; otherwise the first that fits. */
export function variantFor<B extends string, D extends string>(
  kernel: Kernel<B, D>,
  dims: Record<D, number>,
  bindings: BindingsOf<B>,
  { adapter, choices }: { adapter: AdapterTraits; choices: Choices },
): Variant<D> {
  const key = choiceKey(kernel, dims, bindings);
  const name = key === null ? undefined : choices[key];
  const chosen = kernel.variants.find((variant) => variant.name === name && fits(variant, dims, adapter));
  return chosen ?? kernel.choose(dims, adapter);
}

/** The variants that run these dispatches: what a run that goes on must take again. */
export function choicesOf(dispatches: readonly Dispatch[]): Choices {
  return Object.fromEntries(dispatches.flatMap(({ kernel, dims, bindings, variant }) => {
    const key = choiceKey(kernel, dims, bindings);
    return key === null ? [] : [[key, variant.name]];
  }));
}

/** The variants worth timing; the first is what is taken without a choice. */
export function candidatesFor<D extends string>(
  kernel: Kernel<string, D>,
  dims: Record<D, number>,
  adapter: AdapterTraits,
): Variant<D>[] {
  const first = kernel.choose(dims, adapter);
  const others = kernel.variants.filter((variant) =>
    variant.candidate && variant !== first && fits(variant, dims, adapter)
  );
  return [first, ...others];
}

function fits<D extends string>({ when }: Variant<D>, dims: Record<D, number>, adapter: AdapterTraits): boolean {
  return when === undefined || when(dims, adapter);
}
