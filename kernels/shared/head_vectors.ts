import type { AdapterTraits, Variant } from "#src/gpu/kernel.ts";
import { dropoutConstant } from "./dropout.ts";
import reduce from "./reduce.wgsl" with { type: "text" };

/** The element type of queries, keys and values: vec4 where a head is made of whole ones. */
const VEC4 = `
alias Element = vec4<f32>;
fn inner(a: Element, b: Element) -> f32 { return dot(a, b); }
fn head_vectors(head_size: u32) -> u32 { return head_size / 4u; }
`;
const SCALAR = `
alias Element = f32;
fn inner(a: Element, b: Element) -> f32 { return a * b; }
fn head_vectors(head_size: u32) -> u32 { return head_size; }
`;

/** WGSL of the accessors of Elements that a program calls: `get_x(row, i)` and `put_x(row, i, value)`. */
function accessors(program: string, width: number): string {
  const names = (verb: string) =>
    new Set([...program.matchAll(new RegExp(`\\b${verb}_(\\w+)\\(`, "g"))].map((m) => m[1]));
  const [get, put, column] = width === 4 ? ["load", "store", "4u * i"] : ["element", "store_element", "i"];
  return [
    ...[...names("get")].map((x) => `fn get_${x}(row: u32, i: u32) -> Element { return ${get}_${x}(row, ${column}); }`),
    ...[...names("put")].map((x) =>
      `fn put_${x}(row: u32, i: u32, value: Element) { ${put}_${x}(row, ${column}, value); }`
    ),
  ].join("\n") + "\n";
}

/** An invocation has a row of a head to itself. */
const ALONE = `
fn row_in_tile(lane: u32) -> u32 { return lane; }
fn part_of(lane: u32) -> u32 { return 0u; }
fn across(lane: u32, value: f32) -> f32 { return value; }
fn held(vector: u32) -> bool { return true; }
`;
/** A workgroup shares a row: lane l holds vectors l, l + LANES, … of the head. */
const TOGETHER = `
fn row_in_tile(lane: u32) -> u32 { return 0u; }
fn part_of(lane: u32) -> u32 { return lane; }
fn across(lane: u32, value: f32) -> f32 { return workgroup_sum(lane, value); }
fn held(vector: u32) -> bool { return vector < HEAD_VECTORS; }
` + reduce;

/** Past this, arrays of a whole head cost minutes of compilation (11 s at 256, 41 s at 512 on llvmpipe). */
const LARGEST_HEAD_ALONE = 128;
/** Past this, 64 lanes would hold more than WGSL's 8 KiB of a function's variables. */
const LARGEST_HEAD_OF_64_LANES = 8192;

/** llvmpipe ends an invocation's loops, without a word, after so many iterations of all of them together. */
const SOFTWARE_ITERATIONS = 65_535;

/** The dims of every attention kernel, in the order of their struct. */
export const HEAD_DIMS = {
  batch: "u32",
  heads: "u32",
  context: "u32",
  head_size: "u32",
  site: "u32",
  dropout: "f32",
} as const;
export type HeadVariant = Variant<keyof typeof HEAD_DIMS>;
export type HeadDims = Record<keyof typeof HEAD_DIMS, number>;

/**
 * Variants of an attention kernel that fit any head: an invocation for each row of each head, or a workgroup where
 * heads are large. `VECTORS` is what one invocation holds of a row, `ROWS` the rows of a workgroup.
 * @param program WGSL that both run
 */
export function headVariants(program: string): HeadVariant[] {
  const body = (width: number, sharing: string) => () =>
    (width === 4 ? VEC4 : SCALAR) + accessors(program, width) + sharing + program;
  const alone = (name: string, width: number, rows: number, when: HeadVariant["when"]): HeadVariant => ({
    name,
    when,
    body: body(width, ALONE),
    constants: (dims) => ({
      VECTORS: dims.head_size / width,
      LANES: 1,
      ROWS: rows,
      WORKGROUP: rows,
      ...dropoutConstant(dims),
    }),
    workgroups: ({ batch, heads, context }) => batch * heads * Math.ceil(context / rows),
  });
  const together = (name: string, width: number, when?: HeadVariant["when"]): HeadVariant => ({
    name,
    when,
    body: body(width, TOGETHER),
    constants: (dims) => {
      const lanes = dims.head_size > LARGEST_HEAD_OF_64_LANES ? 256 : 64;
      const vectors = dims.head_size / width;
      return {
        VECTORS: Math.ceil(vectors / lanes),
        HEAD_VECTORS: vectors,
        LANES: lanes,
        ROWS: 1,
        WORKGROUP: lanes,
        ...dropoutConstant(dims),
      };
    },
    workgroups: ({ batch, heads, context }) => batch * heads * context,
  });
  const whole = ({ head_size }: HeadDims) => head_size % 4 === 0;
  // Each row's own loop, and within it two over the vectors of a head.
  const small = ({ head_size, context }: HeadDims, { software }: AdapterTraits, width: number) =>
    head_size <= LARGEST_HEAD_ALONE && !(software && context * (2 * head_size / width + 1) > SOFTWARE_ITERATIONS);
  return [
    // Small workgroups keep the causal triangle's work even over a CPU's threads.
    alone("vec4, 8 rows", 4, 8, (dims, adapter) => adapter.software && whole(dims) && small(dims, adapter, 4)),
    alone("scalar, 32 rows", 1, 32, (dims, adapter) => small(dims, adapter, 1)),
    together("vec4, a workgroup a row", 4, whole),
    together("scalar, a workgroup a row", 1),
  ];
}
