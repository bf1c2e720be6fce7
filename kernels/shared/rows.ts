import type { Variant } from "#src/gpu/kernel.ts";
import reduce from "./reduce.wgsl" with { type: "text" };

/** A lane has a row to itself. */
const ALONE = `
fn row_in_group(lane: u32) -> u32 { return lane; }
fn part_of_row(lane: u32) -> u32 { return 0u; }
fn sum_of_row(lane: u32, value: f32) -> f32 { return value; }
fn max_of_row(lane: u32, value: f32) -> f32 { return value; }
fn row_barrier() {}
`;
/** A workgroup shares a row: the same for all lanes in so many words, as barriers after a `return` need it. */
const TOGETHER = `
fn row_in_group(lane: u32) -> u32 { return 0u; }
fn part_of_row(lane: u32) -> u32 { return lane; }
fn sum_of_row(lane: u32, value: f32) -> f32 { return workgroup_sum(lane, value); }
fn max_of_row(lane: u32, value: f32) -> f32 { return workgroup_max(lane, value); }
fn row_barrier() { storageBarrier(); }
` + reduce;

/** Elements of a row that keep 256 lanes busy: a vocabulary's, of which a chunk of logits has few rows. */
const LONG = 8192;

/**
 * Variants of a kernel that reduces each row: LANES of a workgroup share one of its ROWS, TAIL is what the row's length
 * leaves over a whole vec4. On llvmpipe, where a workgroup is 8 lanes at a time and every step across lanes goes through
 * memory, each lane has a row: LayerNorm of 768 × 128 takes 0.27 ms so, 0.79 with 8 lanes a row.
 */
export function rowVariants<D extends string>(
  lengthOf: (dims: Record<D | "rows", number>) => number,
): readonly Variant<D | "rows">[] {
  type Dims = Record<D | "rows", number>;
  const variant = (name: string, lanes: number, rows: number, when?: Variant<D | "rows">["when"]) => ({
    name,
    when,
    body: () => lanes === 1 ? ALONE : TOGETHER,
    constants: (dims: Dims) => ({ LANES: lanes, ROWS: rows, WORKGROUP: lanes * rows, TAIL: lengthOf(dims) % 4 }),
    workgroups: (dims: Dims) => Math.ceil(dims.rows / rows),
  });
  return [
    variant("a lane a row", 1, 8, ({ rows }, { software }) => software && rows > 4),
    variant("8 lanes a row", 8, 1, (_dims, { software }) => software),
    variant("256 lanes a row", 256, 1, (dims) => lengthOf(dims) >= LONG),
    variant("64 lanes a row", 64, 1),
  ];
}
