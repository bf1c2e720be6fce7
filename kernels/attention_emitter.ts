import { lines } from "./shared/emit.ts";

/**
 * What the emitters of attention's two fast families share (`attention_lanes.ts` for software adapters,
 * `attention_tiles.ts` for cards). Both run FlashAttention-2's algorithm (Dao, 2023): a workgroup holds a tile of
 * queries (or of keys, for dK and dV), streams the other side past it and never keeps a probability. Exponentials are
 * powers of 2: log2(e) is multiplied into the scale.
 */

export const LOG2_E = "1.4426950408889634";
export const LN_2 = "0.6931471805599453";
/** Below every score, and far enough from the largest f32 that differences stay finite. */
export const LOWEST = "-0x1p+126f";

/** One line for each pair (v, j). */
export const grid = (rows: number, columns: number, line: (v: number, j: number) => string) =>
  lines(rows, (v) => lines(columns, (j) => line(v, j)));

/** The entry point, and what every family takes from its workgroup's number; `order` is WGSL of `head_row` and `place`, the tile's number. */
export function entry(workgroup: number, tileRows: number, order: string, statements: string): string {
  return `
@compute @workgroup_size(${workgroup})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (dims.context + ${tileRows - 1}u) / ${tileRows}u;
  let index = group.y * groups.x + group.x;
  if (index >= dims.batch * dims.heads * tiles) { return; }
  ${order}
  let start = place * ${tileRows}u; // the tile's first position
  let last = dims.context - 1u;
  let first_row = (head_row / dims.heads) * dims.context; // of the sequence
  let counters = head_row * dims.context;                 // of this head in lse, delta and dropout's counters
  let q_column = (head_row % dims.heads) * dims.head_size;
  let k_column = q_column + dims.heads * dims.head_size;
  let v_column = k_column + dims.heads * dims.head_size;
  let scale = inverseSqrt(f32(dims.head_size));
${statements}
}
`;
}
