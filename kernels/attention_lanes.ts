import { entry, grid, LN_2, LOG2_E, LOWEST } from "./attention_emitter.ts";
import { dropoutConstant } from "./shared/dropout.ts";
import { lines, range, XYZW } from "./shared/emit.ts";
import type { HeadDims, HeadVariant } from "./shared/head_vectors.ts";

/**
 * Attention on a software adapter, where loads are the cost and a broadcast from a constant lane is one instruction. A
 * workgroup is one subgroup. Each lane holds whole rows (queries, or keys for dK and dV) in named variables; a step
 * loads a few rows of the other side, once for all lanes, and each of their elements is broadcast where it is used: a
 * score, its exponential and its row's sum never leave their lane, and every head size fills all lanes.
 */
export interface LaneTile {
  /** Lanes of the adapter's subgroups. */
  lanes: number;
  /** Rows that a lane holds: one broadcast serves them all. */
  held: number;
  /** Rows of the other side in one step, a power of 2 up to `lanes`: lanes past them load other parts of the heads. */
  step: number;
}

type Emit = (headSize: number, tile: LaneTile) => string;

/**
 * Heads up to here. A kernel's compilation takes 0.3 s at 32 on llvmpipe, 0.6 at 64, 1.3 at 128; where heads are no
 * whole vec4s, each element's own load and its guard compile for ten times as long.
 */
const largestHead = (headSize: number) => headSize % 4 === 0 ? 128 : 64;

/**
 * Variants for adapters of 8 lanes (llvmpipe) and of 4.
 * @param tileOf the fastest tile for a head size
 */
export function laneVariants(tileOf: (headSize: number) => Omit<LaneTile, "lanes">, emit: Emit): HeadVariant[] {
  return [8, 4].map((lanes) => {
    const tile = ({ head_size }: HeadDims): LaneTile => ({
      lanes,
      ...(head_size % 4 === 0 ? tileOf(head_size) : { held: 1, step: 2 }),
    });
    return {
      name: `rows in ${lanes} lanes`,
      when: ({ head_size }, { software, subgroupSize }) =>
        software && subgroupSize === lanes && head_size <= largestHead(head_size),
      constants: dropoutConstant,
      body: (dims) => emit(dims.head_size, tile(dims)),
      workgroups: (dims) => dims.batch * dims.heads * Math.ceil(dims.context / (lanes * tile(dims).held)),
    };
  });
}

/**
 * llvmpipe gives each thread one unbroken share of the workgroups: a head's longest and shortest tiles lie side by
 * side, so that every share has its part of the causal triangle.
 */
const ORDER = `let head_row = index / tiles; // b * H + h
  let turn = index % tiles;
  let place = select(turn / 2u, tiles - 1u - turn / 2u, turn % 2u == 0u);`;

function laneEntry({ lanes, held, step }: LaneTile, statements: string): string {
  return entry(
    lanes,
    lanes * held,
    ORDER,
    `
${lines(held, (v) => `  let t_${v} = start + ${lanes * v}u + lane;`)}
${lines(held, (v) => `  let row_${v} = first_row + min(t_${v}, last);`)}
  let end = min(start + ${lanes * held}u, dims.context);
  let step_row = lane % ${step}u;
${statements}`,
  );
}

/** Vectors of a head; the last may have less than four elements of it: matrices are scalars then. */
const headVectors = (headSize: number) => Math.ceil(headSize / 4);

/** The parts of a head's vector i that are the head's own. */
const partsOf = (headSize: number, i: number) => XYZW.slice(0, headSize - 4 * i);

/** Stores vector i of a row of a head. */
function store(matrix: string, row: string, column: string, value: string, i: number, headSize: number): string {
  const parts = partsOf(headSize, i);
  if (parts.length === 4) return `    store_${matrix}(${row}, ${column} + ${4 * i}u, ${value});`;
  return parts.map((part, c) => `    store_element_${matrix}(${row}, ${column} + ${4 * i + c}u, (${value}).${part});`)
    .join("\n");
}

/** Vectors of a head that one lane loads of a step's row. */
function partVectors(headSize: number, { lanes, step }: LaneTile): number {
  return Math.ceil(headVectors(headSize) / (lanes / step));
}

/** Loads a step's rows: lane l has row l % step, and part l / step of its head. */
function load(name: string, matrix: string, column: string, headSize: number, tile: LaneTile): string {
  const vectors = partVectors(headSize, tile);
  const at = (i: number) => `min(lane / ${tile.step}u * ${vectors}u + ${i}u, ${headVectors(headSize) - 1}u)`;
  return lines(vectors, (i) => `    let ${name}_${i} = load_${matrix}(other_row, ${column} + 4u * ${at(i)});`);
}

/** WGSL of vector i of the head of a step's row j, in every lane. */
function broadcast(name: string, j: number, i: number, headSize: number, tile: LaneTile): string {
  const vectors = partVectors(headSize, tile);
  const lane = j + tile.step * Math.floor(i / vectors);
  return `vec4(${XYZW.map((part) => `subgroupBroadcast(${name}_${i % vectors}.${part}, ${lane}u)`).join(", ")})`;
}

/** `sum` += the products of the parts of vector i of two heads. */
function addProducts(sum: string, a: string, b: string, i: number, headSize: number): string {
  return partsOf(headSize, i).map((part) => `${sum} += ${a}.${part} * ${b}.${part};`).join(" ");
}

/** `out_v_j` = the product of the head of held row v and of a step's row j. */
function products(out: string, held: string, other: string, headSize: number, tile: LaneTile): string {
  const term = (v: number, j: number, i: number) =>
    addProducts(`${out}_${v}_${j}`, "other", `${held}_${v}_${i}`, i, headSize);
  return `${grid(tile.held, tile.step, (v, j) => `    var ${out}_${v}_${j} = 0.0;`)}
${
    grid(headVectors(headSize), tile.step, (i, j) =>
      `    { let other = ${broadcast(other, j, i, headSize, tile)}; ${
        range(tile.held).map((v) =>
          term(v, j, i)
        ).join(" ")
      } }`)
  }`;
}

/** `sum_v` += `weight_v_j` · the head of a step's row j, for all of the step's rows in order. */
function accumulate(sum: string, weight: string, other: string, headSize: number, tile: LaneTile): string {
  return grid(
    headVectors(headSize),
    tile.step,
    (i, j) =>
      `    { let other = ${broadcast(other, j, i, headSize, tile)}; ${
        range(tile.held).map((v) => `${sum}_${v}_${i} += ${weight}_${v}_${j} * other;`).join(" ")
      } }`,
  );
}

/** y and lse: queries held, keys and values streamed. */
export const emitForward: Emit = (headSize, tile) => {
  const { held, step } = tile;
  const vectors = headVectors(headSize);
  return laneEntry(
    tile,
    `
${grid(held, vectors, (v, i) => `  let q_${v}_${i} = load_qkv(row_${v}, q_column + ${4 * i}u) * (scale * ${LOG2_E});`)}
${grid(held, vectors, (v, i) => `  var sum_${v}_${i} = vec4(0.0);`)}
${lines(held, (v) => `  var largest_${v} = ${LOWEST};\n  var total_${v} = 0.0;`)}
  for (var j = 0u; j < end; j += ${step}u) {
    let other_row = first_row + min(j + step_row, last);
${load("k", "qkv", "k_column", headSize, tile)}
${products("score", "q", "k", headSize, tile)}
${grid(held, step, (v, j) => `    score_${v}_${j} = select(${LOWEST}, score_${v}_${j}, j + ${j}u <= t_${v});`)}
${
      lines(held, (v) =>
        `    let grown_${v} = ${
          range(step).reduce((most, j) => `max(${most}, score_${v}_${j})`, `largest_${v}`)
        };
    let shrink_${v} = exp2(largest_${v} - grown_${v});
    largest_${v} = grown_${v};
    total_${v} *= shrink_${v};
${lines(vectors, (i) => `    sum_${v}_${i} *= shrink_${v};`)}`)
    }
${
      grid(held, step, (v, j) =>
        `    let p_${v}_${j} = exp2(score_${v}_${j} - largest_${v});
    total_${v} += p_${v}_${j};
    let kept_${v}_${j} = p_${v}_${j} * dropout_factor(dims.dropout, step.seed, dims.site, counters + t_${v}, j + ${j}u);`)
    }
${load("v", "qkv", "v_column", headSize, tile)}
${accumulate("sum", "kept", "v", headSize, tile)}
  }
${
      lines(held, (v) =>
        `  if (t_${v} < dims.context) {
    let inverse = 1.0 / total_${v};
${lines(vectors, (i) => store("y", `row_${v}`, "q_column", `sum_${v}_${i} * inverse`, i, headSize))}
    lse[counters + t_${v}] = (largest_${v} + log2(total_${v})) * ${LN_2};
  }`)
    }`,
  );
};

/** dq and delta: queries held, keys and values streamed. */
export const emitBackwardQuery: Emit = (headSize, tile) => {
  const { held, step } = tile;
  const vectors = headVectors(headSize);
  return laneEntry(
    tile,
    `
${grid(held, vectors, (v, i) => `  let q_${v}_${i} = load_qkv(row_${v}, q_column + ${4 * i}u) * (scale * ${LOG2_E});`)}
${grid(held, vectors, (v, i) => `  let dout_${v}_${i} = load_dy(row_${v}, q_column + ${4 * i}u);`)}
${grid(held, vectors, (v, i) => `  var dq_${v}_${i} = vec4(0.0);`)}
${
      lines(held, (v) =>
        `  let lse_${v} = lse[counters + min(t_${v}, last)] * ${LOG2_E};
  var delta_${v} = 0.0;
${
          lines(vectors, (i) =>
            `  { let other = load_y(row_${v}, q_column + ${4 * i}u); ${
              addProducts(`delta_${v}`, "other", `dout_${v}_${i}`, i, headSize)
            } }`)
        }`)
    }
  for (var j = 0u; j < end; j += ${step}u) {
    let other_row = first_row + min(j + step_row, last);
${load("k", "qkv", "k_column", headSize, tile)}
${products("score", "q", "k", headSize, tile)}
${load("v", "qkv", "v_column", headSize, tile)}
${products("dp", "dout", "v", headSize, tile)}
${
      grid(held, step, (v, j) =>
        `    let factor_${v}_${j} = dropout_factor(dims.dropout, step.seed, dims.site, counters + t_${v}, j + ${j}u);
    let p_${v}_${j} = select(0.0, exp2(score_${v}_${j} - lse_${v}), j + ${j}u <= t_${v});
    let ds_${v}_${j} = p_${v}_${j} * (dp_${v}_${j} * factor_${v}_${j} - delta_${v});`)
    }
${accumulate("dq", "ds", "k", headSize, tile)}
  }
${
      lines(held, (v) =>
        `  if (t_${v} < dims.context) {
${lines(vectors, (i) => store("dqkv", `row_${v}`, "q_column", `dq_${v}_${i} * scale`, i, headSize))}
    delta[counters + t_${v}] = delta_${v};
  }`)
    }`,
  );
};

/** dk and dv: keys and values held, queries and their gradients streamed. */
export const emitBackwardKeyValue: Emit = (headSize, tile) => {
  const { held, step } = tile;
  const vectors = headVectors(headSize);
  return laneEntry(
    tile,
    `
${grid(held, vectors, (v, i) => `  let k_${v}_${i} = load_qkv(row_${v}, k_column + ${4 * i}u) * (scale * ${LOG2_E});`)}
${grid(held, vectors, (v, i) => `  let v_${v}_${i} = load_qkv(row_${v}, v_column + ${4 * i}u);`)}
${grid(held, vectors, (v, i) => `  var dk_${v}_${i} = vec4(0.0);\n  var dv_${v}_${i} = vec4(0.0);`)}
  for (var t = start; t < dims.context; t += ${step}u) {
    let other = min(t + step_row, last);
    let other_row = first_row + other;
    let step_lse = lse[counters + other] * ${LOG2_E};
    let step_delta = delta[counters + other];
${load("q", "qkv", "q_column", headSize, tile)}
${products("score", "k", "q", headSize, tile)}
${load("dout", "dy", "q_column", headSize, tile)}
${products("dp", "v", "dout", headSize, tile)}
${
      lines(step, (j) =>
        `    let lse_${j} = subgroupBroadcast(step_lse, ${j}u);
    let delta_${j} = subgroupBroadcast(step_delta, ${j}u);`)
    }
${
      grid(held, step, (v, j) =>
        `    let factor_${v}_${j} = dropout_factor(dims.dropout, step.seed, dims.site, counters + t + ${j}u, t_${v});
    let seen_${v}_${j} = t_${v} <= t + ${j}u && t + ${j}u < dims.context;
    let p_${v}_${j} = select(0.0, exp2(score_${v}_${j} - lse_${j}), seen_${v}_${j});
    let kept_${v}_${j} = p_${v}_${j} * factor_${v}_${j};
    let ds_${v}_${j} = p_${v}_${j} * (dp_${v}_${j} * factor_${v}_${j} - delta_${j});`)
    }
${accumulate("dv", "kept", "dout", headSize, tile)}
${accumulate("dk", "ds", "q", headSize, tile)}
  }
${
      lines(held, (v) =>
        `  if (t_${v} < dims.context) {
${lines(vectors, (i) => store("dqkv", `row_${v}`, "k_column", `dk_${v}_${i} * scale`, i, headSize))}
${lines(vectors, (i) => store("dqkv", `row_${v}`, "v_column", `dv_${v}_${i}`, i, headSize))}
  }`)
    }`,
  );
};
