import type { Variant } from "#src/gpu/kernel.ts";

interface TileSettings<D extends string> {
  /** Constants beside these. */
  constants?: (dims: Record<D, number>) => Record<string, number>;
  /** Rows differ much in work: neighbours would wait for the longest. */
  uneven?: boolean;
}

/**
 * Variants of a kernel that computes each vec4 of a matrix by itself. A workgroup has ROWS rows and LANES lanes along
 * each, which stride over its vec4s: no index is divided, which llvmpipe would do a lane at a time.
 *
 * On llvmpipe 768 × 128 from texture to texture takes 0.19 ms with a lane a row, 0.25 with a row's 8 vec4s beside each
 * other, 0.33 with 32 (CPU time of both cores). Cards want neighbours to read neighbours.
 */
export function tileVariants<D extends string>(
  size: (dims: Record<D, number>) => { rows: number; columns: number },
  { constants, uneven = false }: TileSettings<NoInfer<D>> = {},
): readonly Variant<D>[] {
  type Dims = Record<D, number>;
  const tile = (
    name: string,
    tileOf: (dims: Dims) => { LANES: number; ROWS: number },
    when?: Variant<D>["when"],
  ): Variant<D> => ({
    name,
    when,
    constants: (dims) => ({ ...tileOf(dims), ...constants?.(dims) }),
    workgroups: (dims) => Math.ceil(size(dims).rows / tileOf(dims).ROWS),
  });
  return [
    tile(
      "a lane a row",
      () => ({ LANES: 1, ROWS: 8 }),
      (dims, { software }) => software && !uneven && size(dims).rows > 8,
    ),
    tile(
      "8 lanes a row",
      (dims) => ({ LANES: 8, ROWS: Math.min(8, size(dims).rows) }),
      (_dims, { software }) => software,
    ),
    tile("64 lanes", (dims) => {
      const vectors = Math.ceil(size(dims).columns / 4);
      const lanes = Math.min(64, 2 ** Math.ceil(Math.log2(vectors)));
      return { LANES: lanes, ROWS: 64 / lanes };
    }),
  ];
}
