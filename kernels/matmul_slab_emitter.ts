import { finishTile, loadBias, type Product } from "./matmul_emitter.ts";
import { lines, range, XYZW } from "./shared/emit.ts";

/**
 * Writes the body of a matmul for cards: a workgroup computes a block of c from slabs of a few k's of a and b in
 * workgroup memory, each invocation a part of the block in registers (as CUTLASS's SIMT GEMMs do). What costs on cards is
 * memory, far and near: a block of 128 × 128 reads 1/16 byte from a and b for a multiply-add, an 8 × 8 part of it 1 byte
 * from workgroup memory.
 *
 * - The loads of the next slab are issued before the arithmetic of this one, and two slabs take turns: one barrier each.
 * - In a slab, a's rows and b's columns lie four to a vec4, k by k, whichever way they lie in memory: all its reads and
 *   writes are of vec4s. Those vec4s are permuted so that eight neighbouring lanes touch eight different ones modulo 8
 *   (32 banks of 4 bytes), in reads and in writes.
 * - Indices that vary between invocations come last in the slab's type, those known here first: WebGPU clamps what it
 *   cannot prove to be in range, and so it clamps a few indices a slab, not each read.
 * - With slices, several groups of invocations compute the same block from different k's of each slab, and their sums
 *   are added in order: for products with few blocks and a long k, such as gradients of weights.
 */

export interface SlabTile {
  /** Rows and columns of c for one invocation; multiples of 4. */
  rows: number;
  columns: number;
  /** Invocations of a slice along columns (a multiple of 8) and along rows (of 4). */
  width: number;
  height: number;
  slices: number;
  /** k's that a slice takes of a slab; a multiple of 4. A slab has at most 32. */
  depth: number;
}

/** Rows and columns of c for one workgroup. */
export function slabBlock({ rows, columns, width, height }: SlabTile): { rows: number; columns: number } {
  return { rows: rows * height, columns: columns * width };
}

export interface SlabBody extends Product {
  tile: SlabTile;
}

/** Rows of blocks that are computed together, column after column, so that b is read from caches. */
const BAND = 8;

/** Where vec4s of a slab lie: `slab[buffer][row][place]`. */
function layout({ tile }: SlabBody) {
  const { slices, depth, width, height } = tile;
  const block = slabBlock(tile);
  const ks = slices * depth;
  const [wide, tall] = [block.columns / 4, block.rows / 4];
  const stride = Math.max(wide, tall);
  const rows = 2 * depth;
  return {
    block,
    /** k's of a slab. */
    ks,
    /** Invocations of a slice. */
    lanes: width * height,
    /** vec4s of a k: of b, of a, and from slice to slice of a row. */
    wide,
    tall,
    stride,
    /** A row holds the same k of all slices: first a's, then b's. */
    rows,
    places: slices * stride,
    /** Permutes vec4s among eight: a function of k / 4 that sets apart what neighbouring lanes write. */
    permuted: (vector: string, quad: string) => `(${vector} ^ (${quad} * ${32 / ks}u))`,
    /** vec4 number `index` of all. */
    at: (index: string) =>
      `slab[(${index}) / ${rows * slices * stride}u][(${index}) / ${slices * stride}u % ${rows}u][(${index}) % ${
        slices * stride
      }u]`,
  };
}

/** WGSL of workgroup memory and `main`, which calls `finish` and `finish_sum` as `emitMatmul`'s does. */
export function emitSlabMatmul(body: SlabBody): string {
  const { form, sum, tile: { rows, columns, width, height, slices, depth } } = body;
  const { block, ks, lanes, wide, tall, stride, rows: slabRows, places, permuted } = layout(body);
  // The first invocations load a's 4 × 4 elements each, the next ones b's.
  const [loadersOfA, loadersOfB] = [ks / 4 * tall, ks / 4 * wide];
  if (loadersOfA + loadersOfB > lanes * slices || ks > 32) throw new RangeError("a slab of too many k's");
  // Neighbours load what lies side by side in memory.
  const [vectorOfA, quadOfA] = form === "tn" ? [`piece % ${tall}u`, `piece / ${tall}u`] : alongK(ks);
  const [vectorOfB, quadOfB] = form === "nt" ? alongK(ks) : [`piece % ${wide}u`, `piece / ${wide}u`];
  return `
var<workgroup> slab: array<array<array<vec4<f32>, ${places}>, ${slabRows}>, 2>;

${emitLoad("a", form === "tn")}
${emitLoad("b", form !== "nt")}

@compute @workgroup_size(${lanes * slices})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let across = (dims.n + ${block.columns - 1}u) / ${block.columns}u;
  let down = (dims.m + ${block.rows - 1}u) / ${block.rows}u;
  let number = group.y * groups.x + group.x;
  if (number >= across * down) { return; }
  let band = number / (${BAND}u * across) * ${BAND}u;
  let within = number - band * across;
  let band_rows = min(${BAND}u, down - band);
  let first_row = (band + within % band_rows) * ${block.rows}u;
  let first_column = within / band_rows * ${block.columns}u;

  let slice = index / ${lanes}u;
  let lane = index % ${lanes}u;
  // 32 lanes are 8 × 4, which read the fewest different vec4s.
  let x = lane % 8u + lane / 32u % ${width / 8}u * 8u;
  let y = lane / 8u % 4u + lane / ${4 * width}u * 4u;

  let of_a = index < ${loadersOfA}u;
  let loads = index < ${loadersOfA + loadersOfB}u;
  let piece = select(index - ${loadersOfA}u, index, of_a);
  let vector = select(${vectorOfB}, ${vectorOfA}, of_a);
  let quad = select(${quadOfB}, ${quadOfA}, of_a);
  let line = select(first_column, first_row, of_a) + vector * 4u;
  let slab_row = select(${depth}u, 0u, of_a) + quad * 4u % ${depth}u;
  let place = quad * 4u / ${depth}u * ${stride}u + ${permuted("vector", "quad")};
${
    range(depth / 4).map((g) => {
      const quad = `(slice * ${depth / 4}u + ${g}u)`;
      const from = (name: string) => `slice * ${stride}u + ${permuted(name, quad)}`;
      return `  let x_${g} = ${from("x")};\n  let y_${g} = ${from("y")};`;
    }).join("\n")
  }

${lines(rows, (i) => range(columns / 4).map((j) => `  var c_${i}_${j} = vec4(0.0);`).join(""))}
${sum ? "  var sum = vec4(0.0);" : ""}
  var buffer = 0u;
  var loaded = mat4x4<f32>();
  if (of_a) { loaded = block_of_a(line, quad * 4u); } else if (loads) { loaded = block_of_b(line, quad * 4u); }
  for (var k = 0u; k < dims.k; k += ${ks}u) {
    if (loads) {
${lines(4, (part) => `      slab[buffer][slab_row + ${part}u][place] = loaded[${part}];`)}
    }
${sum ? "    if (first_row == 0u) { sum += loaded[0] + loaded[1] + loaded[2] + loaded[3]; }" : ""}
    workgroupBarrier();
    let next = k + ${ks}u + quad * 4u;
    if (k + ${ks}u < dims.k) {
      if (of_a) { loaded = block_of_a(line, next); } else if (loads) { loaded = block_of_b(line, next); }
    }
${lines(depth, (k) => multiplyAdds(body, k))}
    buffer = 1u - buffer;
  }
${sum ? columnSums(body, loadersOfA, loadersOfB) : ""}
${slices > 1 ? addSlices(body) : ""}
${lines(columns / 4, (j) => `  let column_${j} = first_column + (x + ${j * width}u) * 4u;`)}
  if (slice == 0u) {
${loadBias(body)}
${finishTile(body, (i) => `first_row + (y + ${(i >> 2) * height}u) * 4u + ${i & 3}u`)}
  }
}`;
}

function alongK(ks: number): [vector: string, quad: string] {
  return [`piece / ${ks / 4}u`, `piece % ${ks / 4}u`];
}

/**
 * Four rows of a, or columns of b, from `line` on, for the k's from `k` on: a column of the result is one k. Past k are
 * zeros, in a row's padding or made here; past m or n is whatever is there, which ends in elements that are not stored.
 */
function emitLoad(name: "a" | "b", rowsAreKs: boolean): string {
  const element = (part: number) =>
    rowsAreKs
      ? `select(vec4(0.0), load_${name}(k + ${part}u, line), k + ${part}u < dims.k)`
      : `select(vec4(0.0), load_${name}(line + ${part}u, k), k < dims.k)`;
  const matrix = `mat4x4<f32>(\n${range(4).map((part) => `    ${element(part)},`).join("\n")}\n  )`;
  return `fn block_of_${name}(line: u32, k: u32) -> mat4x4<f32> {
  return ${rowsAreKs ? matrix : `transpose(${matrix})`};
}`;
}

/** One k of the slab. */
function multiplyAdds({ tile: { rows, columns, width, height, depth } }: SlabBody, k: number): string {
  const [as, bs] = [range(rows / 4), range(columns / 4)];
  return `    {
${as.map((i) => `      let a_${i} = slab[buffer][${k}][y_${k >> 2} + ${i * height}u];`).join("\n")}
${bs.map((j) => `      let b_${j} = slab[buffer][${depth + k}][x_${k >> 2} + ${j * width}u];`).join("\n")}
${
    lines(
      rows,
      (i) =>
        bs.map((j) => `      c_${i}_${j} = fma(vec4(a_${i >> 2}.${XYZW[i & 3]}), b_${j}, c_${i}_${j});`).join("\n"),
    )
  }
    }`;
}

/** Those who loaded b in the first row of blocks have its sums over every fourth of the slab's quads of k's. */
function columnSums(body: SlabBody, loadersOfA: number, loadersOfB: number): string {
  const { at, wide, ks } = layout(body);
  return `  if (first_row == 0u) {
    workgroupBarrier();
    if (index >= ${loadersOfA}u && index < ${loadersOfA + loadersOfB}u) { ${at(`index - ${loadersOfA}u`)} = sum; }
    workgroupBarrier();
    let column = first_column + index * 4u;
    if (index < ${wide}u && column < dims.n) {
      finish_sum(column, ${range(ks / 4).map((quad) => at(`index + ${quad * wide}u`)).join(" + ")});
    }
  }`;
}

/** The first slice gets the sums of all, added in order. */
function addSlices(body: SlabBody): string {
  const { tile: { rows, columns, slices } } = body;
  const { at, lanes } = layout(body);
  const each = (line: (c: string, place: string) => string) =>
    lines(
      rows,
      (i) =>
        range(columns / 4).map((j) => `      ${line(`c_${i}_${j}`, at(`lane + ${(i * columns / 4 + j) * lanes}u`))}`)
          .join("\n"),
    );
  return `  for (var from_ = 1u; from_ < ${slices}u; from_++) {
    workgroupBarrier();
    if (slice == from_) {
${each((c, place) => `${place} = ${c};`)}
    }
    workgroupBarrier();
    if (slice == 0u) {
${each((c, place) => `${c} += ${place};`)}
    }
  }`;
}
