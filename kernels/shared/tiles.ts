import type { Variant } from "#src/gpu/kernel.ts";

/**
 * Variants of a kernel that computes each vec4 of a matrix by itself. A workgroup has ROWS rows and LANES lanes along
 * each, which stride over its vec4s: no index is divided, which llvmpipe would do a lane at a time.
 *
 * On llvmpipe 768 × 128 from texture to texture takes 0.19 ms with a lane a row, 0.25 with a row's 8 vec4s beside each
 * other, 0.33 with 32 (CPU time of both cores). Cards want neighbours to read neighbours.
 * @param more constants beside these
 */
export function tileVariants<D extends string>(
  size: (dims: Record<D, number>) => { rows: number; columns: number },
  more: (dims: Record<D, number>) => Record<string, number> = () => ({}),
): readonly Variant<D>[] {
  type Dims = Record<D, number>;
  const variant = (
    name: string,
    lanesOf: (dims: Dims) => { lanes: number; rows: number },
    when?: Variant<D>["when"],
  ) => ({
    name,
    when,
    constants: (dims: Dims) => {
      const { lanes, rows } = lanesOf(dims);
      return { LANES: lanes, ROWS: rows, ...more(dims) };
    },
    workgroups: (dims: Dims) => Math.ceil(size(dims).rows / lanesOf(dims).rows),
  });
  return [
    variant("a lane a row", () => ({ lanes: 1, rows: 8 }), (dims, { software }) => software && size(dims).rows > 8),
    variant("8 lanes a row", () => ({ lanes: 8, rows: 1 }), (_dims, { software }) => software),
    variant("64 lanes", (dims) => {
      const vectors = Math.ceil(size(dims).columns / 4);
      const lanes = Math.min(64, 2 ** Math.ceil(Math.log2(vectors)));
      return { lanes, rows: 64 / lanes };
    }),
  ];
}
