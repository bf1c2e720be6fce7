import { entry, grid, LN_2, LOG2_E, LOWEST } from "./attention_emitter.ts";
import { dropoutConstant } from "./shared/dropout.ts";
import { lines, range, XYZW } from "./shared/emit.ts";
import type { HeadDims, HeadVariant } from "./shared/head_vectors.ts";

/**
 * Attention on a card: a workgroup of 128 holds a tile of 64 rows (queries, or keys for dK and dV) and streams tiles of
 * 32 rows of the other side through workgroup memory. For a product of heads an invocation has 4 × 4 scores, for a sum
 * over the streamed rows 4 rows × 1 vec4 in each 8 vec4s of a head: 16 multiply-adds for 8 vec4 loads, and 16 for 2.
 *
 * Invocation `lane` is `row_of = lane / 8` and `column_of = lane % 8`. Its held rows are row_of + 16 r, its streamed
 * rows column_of + 8 c, its vec4s of a head column_of + 8 i. Workgroup memory, 15,104 bytes of the portable 16 KiB:
 *
 * - `tile`: slices of 4 vec4s of the heads of both sides, rows 5 vec4s apart so that the 8 invocations that read at once
 *   meet 8 different groups of 4 banks; then, in the same place, weights, as vec4s of 4 held rows, 17 a streamed row;
 * - `others`: 8 vec4s of the heads of the streamed rows;
 * - `partial`: what the 8 invocations of a held row exchange.
 */
const [HELD, STREAMED, WORKGROUP] = [64, 32, 128];
const [ROWS_OF, COLUMNS_OF] = [16, 8];
const [SLICE, SLICE_STRIDE, WEIGHT_STRIDE] = [4, 5, 17];
const MEMORY = `
var<workgroup> tile: array<vec4<f32>, ${STREAMED * WEIGHT_STRIDE}>;
var<workgroup> others: array<vec4<f32>, ${STREAMED * COLUMNS_OF}>;
var<workgroup> partial: array<vec4<f32>, ${COLUMNS_OF * ROWS_OF}>;
`;

/** Past this an invocation's accumulators would not stay in registers. */
const LARGEST_HEAD = 128;

type Emit = (headSize: number) => string;

export function tileVariant(emit: Emit): HeadVariant {
  return {
    name: `${HELD} by ${STREAMED} tiles`,
    when: ({ head_size }, { software }) => !software && head_size % 4 === 0 && head_size <= LARGEST_HEAD,
    constants: dropoutConstant,
    body: ({ head_size }: HeadDims) => MEMORY + emit(head_size),
    workgroups: ({ batch, heads, context }) => batch * heads * Math.ceil(context / HELD),
  };
}

/** Tiles that take longest come first, so that the short ones fill the card's end: the last queries, the first keys. */
const LAST_FIRST = `let head_row = index % (dims.batch * dims.heads); // b * H + h
  let place = tiles - 1u - index / (dims.batch * dims.heads);`;
const FIRST_FIRST = LAST_FIRST.replace("tiles - 1u - index", "index");

const ROWS = range(HELD / ROWS_OF);
const COLUMNS = range(STREAMED / COLUMNS_OF);
/** Vec4s of a head that an invocation accumulates. */
const ownVectors = (headSize: number) => Math.ceil(headSize / 4 / COLUMNS_OF);

function tileEntry(order: string, statements: string): string {
  return entry(
    WORKGROUP,
    HELD,
    order,
    `
  let row_of = lane / ${COLUMNS_OF}u;
  let column_of = lane % ${COLUMNS_OF}u;
  let t = vec4(start + row_of) + vec4(${ROWS.map((r) => `${ROWS_OF * r}u`).join(", ")}); // of the held rows
  let rows = first_row + min(t, vec4(last));
${statements}`,
  );
}

/** Loads vec4 `vector` of a head, 0 past the head's end where slices or chunks reach there. */
function loadVector(load: string, row: string, column: string, vector: string, whole: boolean, headSize: number) {
  const value = `load_${load}(${row}, ${column} + 4u * ${whole ? vector : `min(${vector}, ${headSize / 4 - 1}u)`})`;
  return whole ? value : `select(vec4(0.0), ${value}, ${vector} < ${headSize / 4}u)`;
}

/** `out_c` = the products of the heads of the held rows, one to a component, and of streamed row c. */
function products(out: string, held: [string, string], streamed: [string, string], headSize: number): string {
  const whole = headSize % (4 * SLICE) === 0;
  const stage = (n: number, [matrix, column]: [string, string], first: string, base: number) => `
      let element_${n} = lane + ${(n % (HELD * SLICE / WORKGROUP)) * WORKGROUP}u;
      tile[${base}u + element_${n} / ${SLICE}u * ${SLICE_STRIDE}u + element_${n} % ${SLICE}u] = ${
    loadVector(
      matrix,
      `first_row + min(${first} + element_${n} / ${SLICE}u, last)`,
      column,
      `(slice + element_${n} % ${SLICE}u)`,
      whole,
      headSize,
    )
  };`;
  const streamedBase = HELD * SLICE_STRIDE;
  return `
${COLUMNS.map((c) => `    var ${out}_${c} = vec4(0.0);`).join("\n")}
    for (var slice = 0u; slice < ${Math.ceil(headSize / 4)}u; slice += ${SLICE}u) {
      workgroupBarrier();${range(HELD * SLICE / WORKGROUP).map((n) => stage(n, held, "start", 0)).join("")}${
    range(STREAMED * SLICE / WORKGROUP).map((n) => stage(n + HELD * SLICE / WORKGROUP, streamed, "other", streamedBase))
      .join("")
  }
      workgroupBarrier();
      for (var d = 0u; d < ${SLICE}u; d++) {
${ROWS.map((r) => `        let a_${r} = tile[(row_of + ${ROWS_OF * r}u) * ${SLICE_STRIDE}u + d];`).join("\n")}
${
    COLUMNS.map((c) =>
      `        let b_${c} = tile[${streamedBase}u + (column_of + ${COLUMNS_OF * c}u) * ${SLICE_STRIDE}u + d];
        ${out}_${c} += vec4(${ROWS.map((r) => `dot(a_${r}, b_${c})`).join(", ")});`
    ).join("\n")
  }
      }
    }`;
}

/** Writes weights, `weight_c` for streamed row c and the four held rows, where every invocation of those rows reads. */
const writeWeights = (weight: string) =>
  COLUMNS.map((c) => `    tile[(column_of + ${COLUMNS_OF * c}u) * ${WEIGHT_STRIDE}u + row_of] = ${weight}_${c};`)
    .join("\n");

/** `sum_i_r` += the weights of held row r · vec4 i of the streamed rows' heads, in the order of those rows. */
function accumulate(sum: string, [matrix, column]: [string, string], headSize: number): string {
  const own = ownVectors(headSize);
  const width = own * COLUMNS_OF;
  const chunk = 2 ** Math.floor(Math.log2(STREAMED / own)); // streamed rows that fit in `others`
  return `
    for (var first = 0u; first < ${STREAMED}u; first += ${chunk}u) {
      workgroupBarrier();
      for (var element = lane; element < ${chunk * width}u; element += ${WORKGROUP}u) {
        others[element] = ${
    loadVector(
      matrix,
      `first_row + min(other + first + element / ${width}u, last)`,
      column,
      `(element % ${width}u)`,
      width * 4 === headSize,
      headSize,
    )
  };
      }
      workgroupBarrier();
      for (var j = 0u; j < ${chunk}u; j++) {
        let weights = tile[(first + j) * ${WEIGHT_STRIDE}u + row_of];
${
    lines(own, (i) =>
      `        let x_${i} = others[j * ${width}u + column_of + ${COLUMNS_OF * i}u];\n${
        ROWS.map((r) =>
          `        ${sum}_${i}_${r} += weights.${XYZW[r]} * x_${i};`
        ).join("\n")
      }`)
  }
      }
    }`;
}

/** `name` = what the 8 invocations of each held row have in `partial`, combined in order. */
const exchange = (name: string, value: string, combine: (a: string, b: string) => string) => `
    partial[lane] = ${value};
    workgroupBarrier();
    var ${name} = partial[row_of * ${COLUMNS_OF}u];
${lines(COLUMNS_OF - 1, (c) => `    ${name} = ${combine(name, `partial[row_of * ${COLUMNS_OF}u + ${c + 1}u]`)};`)}`;
const added = (a: string, b: string) => `${a} + ${b}`;

const zeros = (sum: string, headSize: number) =>
  grid(ownVectors(headSize), ROWS.length, (i, r) => `  var ${sum}_${i}_${r} = vec4(0.0);`);

/** Stores the held rows' sums, `value` of vec4 i of row r, and what else the first invocation of a row has. */
function store(matrix: string, column: string, value: (i: number, r: number) => string, headSize: number): string {
  return ROWS.map((r) =>
    `  if (t.${XYZW[r]} < dims.context) {
${
      lines(ownVectors(headSize), (i) => {
        const vector = `column_of + ${COLUMNS_OF * i}u`;
        const write = `store_${matrix}(rows.${XYZW[r]}, ${column} + 4u * (${vector}), ${value(i, r)});`;
        return headSize / 4 >= COLUMNS_OF * (i + 1)
          ? `    ${write}`
          : `    if (${vector} < ${headSize / 4}u) { ${write} }`;
      })
    }
  }`
  ).join("\n");
}

/** One f32 for each held row, written by its first invocation. */
const storeOfRows = (buffer: string, value: string) =>
  ROWS.map((r) =>
    `  if (column_of == 0u && t.${XYZW[r]} < dims.context) { ${buffer}[counters + t.${XYZW[r]}] = ${value}.${
      XYZW[r]
    }; }`
  ).join("\n");

const ofRows = (value: (t: string) => string) => `vec4(${ROWS.map((r) => value(`t.${XYZW[r]}`)).join(", ")})`;
const perColumn = (statement: (c: number) => string) => COLUMNS.map(statement).join("\n");

/** y and lse: queries held, keys and values streamed. */
export const emitForward: Emit = (headSize) =>
  tileEntry(
    LAST_FIRST,
    `
  let to_power = scale * ${LOG2_E};
${zeros("sum", headSize)}
  var largest = vec4(${LOWEST});
  var total = vec4(0.0);
  for (var other = 0u; other < min(start + ${HELD}u, dims.context); other += ${STREAMED}u) {
${products("score", ["qkv", "q_column"], ["qkv", "k_column"], headSize)}
${
      perColumn((c) =>
        `    let j_${c} = other + column_of + ${COLUMNS_OF * c}u;
    score_${c} = select(vec4(${LOWEST}), score_${c} * to_power, vec4(j_${c}) <= t);`
      )
    }
${
      exchange(
        "largest_here",
        "max(max(score_0, score_1), max(score_2, score_3))",
        (a, b) => `max(${a}, ${b})`,
      )
    }
    let grown = max(largest, largest_here);
    let shrink = exp2(largest - grown);
    largest = grown;
    total *= shrink;
${grid(ownVectors(headSize), ROWS.length, (i, r) => `    sum_${i}_${r} *= shrink.${XYZW[r]};`)}
${
      perColumn((c) =>
        `    let p_${c} = exp2(score_${c} - grown);
    total += p_${c};
    let kept_${c} = p_${c} * ${
          ofRows((t) => `dropout_factor(dims.dropout, step.seed, dims.site, counters + ${t}, j_${c})`)
        };`
      )
    }
${writeWeights("kept")}
${accumulate("sum", ["qkv", "v_column"], headSize)}
  }
${exchange("whole", "total", added)}
  let inverse = 1.0 / whole;
${store("y", "q_column", (i, r) => `sum_${i}_${r} * inverse.${XYZW[r]}`, headSize)}
  let logs = (largest + log2(whole)) * ${LN_2};
${storeOfRows("lse", "logs")}`,
  );

/** dq and delta: queries held, keys and values streamed. */
export const emitBackwardQuery: Emit = (headSize) =>
  tileEntry(
    LAST_FIRST,
    `
  let to_power = scale * ${LOG2_E};
  let lse_of = ${ofRows((t) => `lse[counters + min(${t}, last)]`)} * ${LOG2_E};
  var own = vec4(0.0);
  for (var i = column_of; i < ${headSize / 4}u; i += ${COLUMNS_OF}u) {
    own += vec4(${
      ROWS.map((r) => {
        const at = `(rows.${XYZW[r]}, q_column + 4u * i)`;
        return `dot(load_dy${at}, load_y${at})`;
      }).join(", ")
    });
  }
${exchange("delta_of", "own", added)}
${zeros("dq", headSize)}
  for (var other = 0u; other < min(start + ${HELD}u, dims.context); other += ${STREAMED}u) {
${products("score", ["qkv", "q_column"], ["qkv", "k_column"], headSize)}
${products("dp", ["dy", "q_column"], ["qkv", "v_column"], headSize)}
${
      perColumn((c) =>
        `    let j_${c} = other + column_of + ${COLUMNS_OF * c}u;
    let factor_${c} = ${ofRows((t) => `dropout_factor(dims.dropout, step.seed, dims.site, counters + ${t}, j_${c})`)};
    let p_${c} = select(vec4(0.0), exp2(score_${c} * to_power - lse_of), vec4(j_${c}) <= t);
    let ds_${c} = p_${c} * (dp_${c} * factor_${c} - delta_of);`
      )
    }
    workgroupBarrier();
${writeWeights("ds")}
${accumulate("dq", ["qkv", "k_column"], headSize)}
  }
${store("dqkv", "q_column", (i, r) => `dq_${i}_${r} * scale`, headSize)}
${storeOfRows("delta", "delta_of")}`,
  );

/** dk and dv: keys and values held, queries and their gradients streamed. */
export const emitBackwardKeyValue: Emit = (headSize) =>
  tileEntry(
    FIRST_FIRST,
    `
  let to_power = scale * ${LOG2_E};
${zeros("dk", headSize)}
${zeros("dv", headSize)}
  for (var other = start; other < dims.context; other += ${STREAMED}u) {
${products("score", ["qkv", "k_column"], ["qkv", "q_column"], headSize)}
${products("dp", ["qkv", "v_column"], ["dy", "q_column"], headSize)}
${
      perColumn((c) =>
        `    let query_${c} = other + column_of + ${COLUMNS_OF * c}u;
    let row_${c} = counters + min(query_${c}, last);
    let factor_${c} = ${ofRows((t) => `dropout_factor(dims.dropout, step.seed, dims.site, row_${c}, ${t})`)};
    let seen_${c} = (t <= vec4(query_${c})) & vec4(query_${c} < dims.context);
    let p_${c} = select(vec4(0.0), exp2(score_${c} * to_power - lse[row_${c}] * ${LOG2_E}), seen_${c});
    let kept_${c} = p_${c} * factor_${c};
    let ds_${c} = p_${c} * (dp_${c} * factor_${c} - delta[row_${c}]);`
      )
    }
    workgroupBarrier();
${writeWeights("kept")}
${accumulate("dv", ["dy", "q_column"], headSize)}
    workgroupBarrier();
${writeWeights("ds")}
${accumulate("dk", ["qkv", "q_column"], headSize)}
  }
${store("dqkv", "k_column", (i, r) => `dk_${i}_${r} * scale`, headSize)}
${store("dqkv", "v_column", (i, r) => `dv_${i}_${r}`, headSize)}`,
  );
