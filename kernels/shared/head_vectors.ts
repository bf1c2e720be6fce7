import type { AdapterTraits, Variant } from "#src/gpu/kernel.ts";

/** The element type of queries, keys and values: vec4 where a head is made of whole ones. */
const VEC4 = `
alias Element = vec4<f32>;
fn inner(a: Element, b: Element) -> f32 { return dot(a, b); }
`;
const SCALAR = `
alias Element = f32;
fn inner(a: Element, b: Element) -> f32 { return a * b; }
`;

type HeadDims = "batch" | "heads" | "context" | "head_size";

/**
 * Variants of an attention kernel: one invocation for each row of each head, `VECTORS` elements to a head.
 * @param more constants beside those two, from dims that the kernel has
 */
export function headVariants<More extends string = never>(
  more: (dims: Record<HeadDims | More, number>) => Record<string, number> = () => ({}),
): readonly Variant<HeadDims | More>[] {
  const variant = (
    name: string,
    width: number,
    types: string,
    lanes: number,
    when?: Variant<HeadDims>["when"],
  ): Variant<HeadDims | More> => ({
    name,
    when,
    body: () => types,
    constants: (dims) => ({ VECTORS: dims.head_size / width, WORKGROUP: lanes, ...more(dims) }),
    workgroups: ({ batch, heads, context }: Record<HeadDims, number>) => batch * heads * Math.ceil(context / lanes),
  });
  const whole = ({ head_size }: Record<HeadDims, number>) => head_size % 4 === 0;
  return [
    // Small workgroups keep the causal triangle's work even over a CPU's threads.
    variant("vec4, 8 rows", 4, VEC4, 8, (dims, { software }: AdapterTraits) => software && whole(dims)),
    variant("vec4, 32 rows", 4, VEC4, 32, whole),
    variant("scalar, 32 rows", 1, SCALAR, 32),
  ];
}
