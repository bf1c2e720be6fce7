import { lines, range, XYZW } from "./shared/emit.ts";

/**
 * Writes the body of a register-tiled matmul: each invocation computes `rows` × `columns` elements of c = a · b in
 * named variables (a loop over a private array ran at a quarter of the speed on llvmpipe). Loads are what costs there,
 * so a tile is as large as the instruction cache allows: past 1,024 vec4-free multiply-adds of 8 lanes in the loop's
 * body (32 KB of code) the rate falls from 90 to 65 GFLOP/s.
 */

/** How the operands lie in memory: `nn` a (m, k) · b (k, n); `nt` b as (n, k); `tn` a as (k, m). */
export type Form = "nn" | "nt" | "tn";

export interface Tile {
  /** Rows and columns of c for one invocation; multiples of 4. */
  rows: number;
  columns: number;
  /** Invocations of a workgroup along columns and along rows. */
  width: number;
  height: number;
  /**
   * Lanes of a subgroup, equal to `width`: each lane loads other rows of a and hands them to the others, which costs an
   * instruction where a load costs 18 cycles on llvmpipe. Null: each invocation loads all it needs.
   */
  subgroup: number | null;
}

/** What is computed, however it is tiled. */
export interface Product {
  form: Form;
  /** Whether c's rows get `bias` added. */
  bias: boolean;
  /** Whether the columns of b are summed too: `finish_sum(column, value)` is called once for each. */
  sum: boolean;
}

export interface Body extends Product {
  tile: Tile;
}

/** Rows of accumulators that one run through the four k's keeps in registers, beside one vec4 of columns. */
const REGISTER_ROWS = 4;

/**
 * WGSL of `main`, which calls `finish(row, column, value)` for every vec4 of c within (m, n); where n is not a multiple
 * of 4 the last vec4's extra elements are anything.
 */
export function emitMatmul(body: Body): string {
  const { tile: { rows, columns, width, height } } = body;
  const groups = columns / 4;
  return `
@compute @workgroup_size(${width}, ${height})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let tiles = (dims.n + ${width * columns - 1}u) / ${width * columns}u;
  let index = group.y * groups.x + group.x;
  if (index >= tiles * ((dims.m + ${rows * height - 1}u) / ${rows * height}u)) { return; }
  let lane = local.x;
  let row = ((index / tiles) * ${height}u + local.y) * ${rows}u;
${lines(groups, (j) => `  let column_${j} = ((index % tiles) * ${width * groups}u + ${j * width}u + lane) * 4u;`)}
${lines(rows, (i) => range(groups).map((j) => `  var c_${i}_${j} = vec4(0.0);`).join(""))}
  for (var k = 0u; k < dims.k; k += 4u) {
${loadA(body)}
${loadB(body)}
${multiplyAdds(body)}
  }
${loadBias(body)}
${finishTile(body, (i) => `row + ${i}u`)}
${body.sum ? columnSums(body) : ""}
}`;
}

/** `bias_{j}`, where there is a bias: its elements at `column_{j}`. */
export function loadBias({ tile: { columns }, bias }: { tile: Pick<Tile, "columns">; bias: boolean }): string {
  return bias ? lines(columns / 4, (j) => `  let bias_${j} = load_bias(0u, column_${j});`) : "";
}

/** `finish` for each `c_{i}_{j}` within (m, n): row `rowOf(i)`, column `column_{j}`. */
export function finishTile(
  { tile: { rows, columns }, bias }: { tile: Pick<Tile, "rows" | "columns">; bias: boolean },
  rowOf: (i: number) => string,
): string {
  const value = (i: number, j: number) => `c_${i}_${j}${bias ? ` + bias_${j}` : ""}`;
  const finish = (i: number, j: number) =>
    `    if (column_${j} < dims.n) { finish(${rowOf(i)}, column_${j}, ${value(i, j)}); }`;
  return lines(rows, (i) => `  if (${rowOf(i)} < dims.m) {\n${lines(columns / 4, (j) => finish(i, j))}\n  }`);
}

/** a's elements for four k's: `a_*`, which `elementOfA` takes apart. */
function loadA({ form, tile: { rows, subgroup } }: Body): string {
  // Past m is whatever is there: it ends in accumulators that are not stored. Past k are zeros, in a row's padding or
  // made here, and whatever of b they meet is finite.
  const load = (name: string, row: string, column: string) =>
    `    let ${name} = ${
      form === "tn" ? `select(vec4(0.0), load_a(${row}, ${column}), ${row} < dims.k)` : `load_a(${row}, ${column})`
    };`;
  if (subgroup !== null) {
    return lines(
      Math.ceil(rows / subgroup),
      (g) =>
        form === "tn"
          ? load(`a_${g}`, "k + lane % 4u", `row + ${g * subgroup}u + lane / 4u * 4u`)
          : load(`a_${g}`, `row + ${g * subgroup}u + lane`, "k"),
    );
  }
  return form === "tn"
    ? lines(
      rows / 4,
      (q) => lines(4, (part) => load(`a_${part}_${q}`, `k + ${part}u`, `row + ${4 * q}u`)),
    )
    : lines(rows, (i) => load(`a_${i}`, `row + ${i}u`, "k"));
}

/** WGSL of a[row i, k + part], the same in all lanes. */
function elementOfA({ form, tile: { subgroup } }: Body, i: number, part: number): string {
  if (subgroup !== null) {
    const from = i % subgroup;
    return form === "tn"
      ? `subgroupBroadcast(a_${Math.floor(i / subgroup)}.${XYZW[i % 4]}, ${4 * Math.floor(from / 4) + part}u)`
      : `subgroupBroadcast(a_${Math.floor(i / subgroup)}.${XYZW[part]}, ${from}u)`;
  }
  return form === "tn" ? `a_${part}_${i >> 2}.${XYZW[i & 3]}` : `a_${i}.${XYZW[part]}`;
}

/** `b_{part}_{j}`: b[k + part, column_j … column_j + 3]. */
function loadB({ form, tile: { columns } }: Body): string {
  return lines(columns / 4, (j) => {
    if (form !== "nt") return lines(4, (part) => `    let b_${part}_${j} = load_b(k + ${part}u, column_${j});`);
    const transposed = (part: number) => range(4).map((c) => `row_${j}_${c}.${XYZW[part]}`).join(", ");
    return lines(4, (c) => `    let row_${j}_${c} = load_b(column_${j} + ${c}u, k);`) + "\n" +
      lines(4, (part) => `    let b_${part}_${j} = vec4(${transposed(part)});`);
  });
}

/** In blocks of accumulators that stay in registers over the four k's; the rest lies on the stack meanwhile. */
function multiplyAdds(body: Body): string {
  const { tile: { rows, columns } } = body;
  return lines(
    rows / REGISTER_ROWS,
    (block) =>
      lines(columns / 4, (j) =>
        lines(4, (part) =>
          lines(REGISTER_ROWS, (r) => {
            const i = block * REGISTER_ROWS + r;
            return `    c_${i}_${j} = fma(vec4(${elementOfA(body, i, part)}), b_${part}_${j}, c_${i}_${j});`;
          }))),
  );
}

/** The first row of tiles reads b once more: one pass in m / rows, and no dispatch of its own. */
function columnSums({ tile: { columns } }: Body): string {
  const groups = columns / 4;
  return `
  if (row == 0u) {
${lines(groups, (j) => `    var sum_${j} = vec4(0.0);`)}
    for (var k = 0u; k < dims.k; k++) {
${lines(groups, (j) => `      sum_${j} += load_b(k, column_${j});`)}
    }
${lines(groups, (j) => `    if (column_${j} < dims.n) { finish_sum(column_${j}, sum_${j}); }`)}
  }`;
}
