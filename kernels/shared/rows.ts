import type { Variant } from "#src/gpu/kernel.ts";
import reduce from "./reduce.wgsl" with { type: "text" };

/** A row's sums stay with the lane that has the row to itself. */
const ALONE = `
fn row_in_group(lane: u32) -> u32 { return lane; }
fn part_of_row(lane: u32) -> u32 { return 0u; }
fn sum_of_row(lane: u32, value: f32) -> f32 { return value; }
`;
/** A workgroup shares a row. */
const TOGETHER = `
fn row_in_group(lane: u32) -> u32 { return 0u; }
fn part_of_row(lane: u32) -> u32 { return lane; }
fn sum_of_row(lane: u32, value: f32) -> f32 { return workgroup_sum(lane, value); }
` + reduce;

/**
 * Variants of a kernel that reduces each row: LANES of a workgroup share one of its ROWS, TAIL is `channels` mod 4. On
 * llvmpipe, where a workgroup is 8 lanes at a time and every step across lanes goes through memory, each lane has a row.
 */
export function rowVariants(): readonly Variant<"rows" | "channels">[] {
  const variant = (name: string, lanes: number, rows: number, when?: Variant<"rows">["when"]) => ({
    name,
    when,
    body: () => lanes === 1 ? ALONE : TOGETHER,
    constants: ({ channels }: Record<"channels", number>) => ({
      LANES: lanes,
      ROWS: rows,
      WORKGROUP: lanes * rows,
      TAIL: channels % 4,
    }),
    workgroups: (dims: Record<"rows", number>) => Math.ceil(dims.rows / rows),
  });
  return [
    variant("a lane a row", 1, 8, ({ rows }, { software }) => software && rows > 4),
    variant("8 lanes a row", 8, 1, (_dims, { software }) => software),
    variant("64 lanes a row", 64, 1),
  ];
}
