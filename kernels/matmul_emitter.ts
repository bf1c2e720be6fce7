/**
 * Writes the body of a register-tiled matmul: each invocation computes a tile of `rows` × `columns` of c, its
 * accumulators named variables (a loop over a private array ran at a quarter of the speed on llvmpipe), fed by vec4
 * loads, the scarce thing on a software adapter: 19 cycles a component against 1 for a multiply-add of 8 lanes.
 */

/** How the operands lie in memory: `nn` a (m, k) · b (k, n); `nt` b as (n, k); `tn` a as (k, m). */
export type Form = "nn" | "nt" | "tn";

export interface Tile {
  /** Rows and columns of c for one invocation; multiples of 4. */
  rows: number;
  columns: number;
  /** Invocations of a workgroup along columns and rows. */
  width: number;
  height: number;
}

/** Whether operands are read from storage buffers or from textures of vec4 texels. */
export type Source = "buffers" | "textures";

/** WGSL of a load: `row` is what `rowStart` made, or a row that changes in the loop. */
const LOADS: Record<Source, {
  rowStart(name: string, row: string): string;
  inRow(name: string, start: string, column: string): string;
  at(name: string, row: string, column: string): string;
}> = {
  buffers: {
    rowStart: (name, row) => `${row} * ${name}_stride`,
    inRow: (name, start, column) => `${name}[${start} + ${column}]`,
    at: (name, row, column) => `${name}[${row} * ${name}_stride + ${column}]`,
  },
  textures: {
    rowStart: (_name, row) => row,
    inRow: (name, start, column) => `textureLoad(${name}, vec2(${column}, ${start}))`,
    at: (name, row, column) => `textureLoad(${name}, vec2(${column}, ${row}))`,
  },
};

const XYZW = ["x", "y", "z", "w"] as const;
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const lines = (count: number, line: (index: number) => string) => range(count).map(line).join("\n");

/** Where an invocation's tile begins, and `column(j)`: columns lie `width` apart, so that lanes load neighbours. */
function entry(tile: Tile, columnUnit: number): string {
  const { rows, columns, width, height } = tile;
  return `
@compute @workgroup_size(${width}, ${height})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let tiles = (dims.n + ${width * columns - 1}u) / ${width * columns}u;
  let index = group.y * groups.x + group.x;
  let row = ((index / tiles) * ${height}u + local.y) * ${rows}u;
  let column = ((index % tiles) * ${width * columns / columnUnit}u + local.x) * ${columnUnit}u;
  if (row >= dims.m || column >= dims.n) { return; }`;
}

/** Writes the tile, with a guard for each row and each unit of columns. `value` is WGSL for unit j of row i. */
function store(tile: Tile, columnUnit: number, value: (i: number, j: number) => string, bias: boolean): string {
  const units = tile.columns / columnUnit;
  const unit = (i: number, j: number) => `
    if (unit_${j} < units) {
      let value = ${value(i, j)}${bias ? ` + bias_${j}` : ""};
      if (ACCUMULATE == 1u) { c[at + unit_${j}] += value; } else { c[at + unit_${j}] = value; }
    }`;
  return `
  let c_stride = dims.c_stride${columnUnit === 1 ? "" : ` / ${columnUnit}u`};
  let units = (dims.n + ${columnUnit - 1}u) / ${columnUnit}u;
${lines(units, (j) => `  let unit_${j} = column / ${columnUnit}u + ${j * tile.width}u;`)}
${bias ? lines(units, (j) => `  let bias_${j} = bias[unit_${j}];`) : ""}
${
    lines(tile.rows, (i) =>
      `  if (row + ${i}u < dims.m) {
    let at = (row + ${i}u) * c_stride;${range(units).map((j) => unit(i, j)).join("")}
  }`)
  }`;
}

/**
 * vec4 loads and stores. All strides are multiples of 4; where k is not, a's elements past it are zero; where n is not,
 * the elements of c that fill its last vec4 are overwritten.
 */
export function emitVectorBody(form: Form, tile: Tile, bias: boolean, source: Source = "buffers"): string {
  const body = form === "nt" ? emitRowsByRows(tile, bias, source) : emitColumns(form, tile, bias, source);
  return `alias Element = vec4<f32>;\n${body}`;
}

/** nn and tn: accumulators are vec4 along n. */
function emitColumns(form: "nn" | "tn", tile: Tile, bias: boolean, source: Source): string {
  const { rowStart, inRow, at } = LOADS[source];
  const { rows, columns, width } = tile;
  const groups = columns / 4;
  const accumulate = (i: number, multiplier: string) =>
    lines(groups, (j) => `    c_${i}_${j} = fma(vec4(${multiplier}), b_${j}, c_${i}_${j});`);
  const loadB = (k: string) => lines(groups, (j) => `    b_${j} = ${at("b", k, `at_${j}`)};`);
  const nnStep = (part: number) => `
${loadB(`(min(k + ${part}u, dims.k - 1u))`)}
${lines(rows, (i) => accumulate(i, `a_${i}.${XYZW[part]}`))}`;
  const nn = `
${lines(rows, (i) => `  let row_${i} = ${rowStart("a", `min(row + ${i}u, dims.m - 1u)`)};`)}
  for (var k = 0u; k < dims.k; k += 4u) {
${lines(rows, (i) => `    let a_${i} = ${inRow("a", `row_${i}`, "k / 4u")};`)}
${range(4).map(nnStep).join("\n")}
  }`;
  const tn = `
${lines(rows / 4, (i) => `  let row_${i} = min(row / 4u + ${i}u, a_stride - 1u);`)}
  for (var k = 0u; k < dims.k; k++) {
${lines(rows / 4, (i) => `    let a_${i} = ${at("a", "k", `row_${i}`)};`)}
${loadB("k")}
${lines(rows, (i) => accumulate(i, `a_${i >> 2}.${XYZW[i & 3]}`))}
  }`;
  return `${entry(tile, 4)}
  let a_stride = dims.a_stride / 4u;
  let b_stride = dims.b_stride / 4u;
${lines(groups, (j) => `  let at_${j} = min(column / 4u + ${j * width}u, b_stride - 1u);\n  var b_${j} = vec4(0.0);`)}
${lines(rows, (i) => lines(groups, (j) => `  var c_${i}_${j} = vec4(0.0);`))}
${form === "nn" ? nn : tn}
${store(tile, 4, (i, j) => `c_${i}_${j}`, bias)}
}`;
}

/** nt: both operands run along k; accumulators are scalars, four neighbouring columns to a unit. */
function emitRowsByRows(tile: Tile, bias: boolean, source: Source): string {
  const { rowStart, inRow } = LOADS[source];
  const { rows, columns, width } = tile;
  const multiplyAdd = (i: number, j: number) =>
    XYZW.reduce((sum, part) => `fma(a_${i}.${part}, b_${j}.${part}, ${sum})`, `c_${i}_${j}`);
  return `${entry(tile, 4)}
  let a_stride = dims.a_stride / 4u;
  let b_stride = dims.b_stride / 4u;
${lines(rows, (i) => `  let row_${i} = ${rowStart("a", `min(row + ${i}u, dims.m - 1u)`)};`)}
${
    lines(columns, (j) =>
      `  let at_${j} = ${rowStart("b", `min(column + ${(j >> 2) * 4 * width + j % 4}u, dims.n - 1u)`)};`)
  }
${lines(rows, (i) => lines(columns, (j) => `  var c_${i}_${j} = 0.0;`))}
  for (var k = 0u; k < (dims.k + 3u) / 4u; k++) {
${lines(columns, (j) => `    let b_${j} = ${inRow("b", `at_${j}`, "k")};`)}
${
    lines(rows, (i) =>
      `    let a_${i} = ${inRow("a", `row_${i}`, "k")};\n${
        lines(columns, (j) =>
          `    c_${i}_${j} = ${multiplyAdd(i, j)};`)
      }`)
  }
  }
${store(tile, 4, (i, j) => `vec4(${range(4).map((part) => `c_${i}_${4 * j + part}`).join(", ")})`, bias)}
}`;
}

/** Scalar loads, for strides that are not multiples of 4. */
export function emitScalarBody(form: Form, tile: Tile, bias: boolean): string {
  const { rows, columns, width } = tile;
  const aAt = (i: number) => form === "tn" ? `k * dims.a_stride + row_${i}` : `row_${i} * dims.a_stride + k`;
  const bAt = (j: number) => form === "nt" ? `at_${j} * dims.b_stride + k` : `k * dims.b_stride + at_${j}`;
  return `alias Element = f32;
${entry(tile, 1)}
${lines(rows, (i) => `  let row_${i} = min(row + ${i}u, dims.m - 1u);`)}
${lines(columns, (j) => `  let at_${j} = min(column + ${j * width}u, dims.n - 1u);`)}
${lines(rows, (i) => lines(columns, (j) => `  var c_${i}_${j} = 0.0;`))}
  for (var k = 0u; k < dims.k; k++) {
${lines(columns, (j) => `    let b_${j} = b[${bAt(j)}];`)}
${
    lines(rows, (i) =>
      `    let a_${i} = a[${aAt(i)}];\n${
        lines(columns, (j) => `    c_${i}_${j} = fma(a_${i}, b_${j}, c_${i}_${j});`)
      }`)
  }
  }
${store(tile, 1, (i, j) => `c_${i}_${j}`, bias)}
}`;
}
