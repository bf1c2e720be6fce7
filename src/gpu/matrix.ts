import type { BufferRange, TextureOperand } from "./memory.ts";

/**
 * Matrices whose storage is the adapter's choice, not the kernel's: a kernel names a binding `x` and calls
 * `load_x(row, column)` or `store_x(row, column, value)` on vec4s of f32; this file writes what stands behind them.
 *
 * - `texture`: texels of four elements. Software adapters read those fastest (4.5 cycles a component against 19 from a
 *   storage buffer on llvmpipe); a texture is read or written in one dispatch, never both.
 * - `vectors`: a buffer of vec4s; rows are whole vec4s.
 * - `scalars`: a buffer of single elements, rows of any length: what lies past a row's end reads as 0 and is not written.
 */
export type MatrixKind = "texture" | "vectors" | "scalars";
export type ElementType = "f32" | "f16";

export interface MatrixStorage {
  kind: MatrixKind;
  /** As stored; kernels compute in f32. */
  element: ElementType;
}

/** A matrix, or a part of one, in GPU memory. */
export interface Matrix {
  name: string;
  rows: number;
  columns: number;
  storage: MatrixStorage;
  /** Elements from row to row. */
  stride: number;
  /** Where it begins in what holds it. */
  origin: { row: number; column: number };
  /** One of several parts that kernels take in turn: the first has the others' program too. */
  isPart?: boolean;
  resource: BufferRange | TextureOperand;
}

export const F32_VECTORS: MatrixStorage = { kind: "vectors", element: "f32" };

/** Elements from row to row of a matrix with memory of its own. */
export function matrixStride(columns: number, { kind }: MatrixStorage): number {
  return kind === "scalars" ? columns : Math.ceil(columns / 4) * 4;
}

export function elementBytes({ element }: MatrixStorage): number {
  return element === "f16" ? 2 : 4;
}

/** A cache line of the processors that software adapters run on. */
const LINE_BYTES = 64;

/**
 * Texels of a row. An odd number of cache lines, so that neighbouring rows fall into different sets of the cache: a
 * matmul reads 64 rows side by side, and rows of 6 KiB (two sets for all of them) cost it a third of its rate.
 */
export function textureWidth(rows: number, columns: number, storage: MatrixStorage): number {
  const lines = Math.ceil(matrixStride(columns, storage) * elementBytes(storage) / LINE_BYTES);
  return (rows === 1 ? lines : lines | 1) * LINE_BYTES / (4 * elementBytes(storage));
}

/** Bytes of a matrix with memory of its own, before a buffer's alignment. */
export function matrixBytes(rows: number, columns: number, storage: MatrixStorage): number {
  const elements = storage.kind === "texture"
    ? 4 * textureWidth(rows, columns, storage)
    : matrixStride(columns, storage);
  return rows * elements * elementBytes(storage);
}

/** `range` of f32 as a matrix: a parameter in an arena. */
export function matrixIn(name: string, range: BufferRange, rows: number, columns: number): Matrix {
  const kind = columns % 4 === 0 ? "vectors" : "scalars";
  const origin = { row: 0, column: 0 };
  return { name, rows, columns, storage: { kind, element: "f32" }, stride: columns, origin, resource: range };
}

/** Rows `[start, start + count)`, all of them or a part. */
export function matrixRows(matrix: Matrix, start: number, count: number): Matrix {
  const { row, column } = matrix.origin;
  return { ...matrix, rows: count, origin: { row: row + start, column }, isPart: count < matrix.rows };
}

/** Columns `[start, start + count)`; `start` is a multiple of 4 unless storage is `scalars`. */
export function matrixColumns(matrix: Matrix, start: number, count: number): Matrix {
  if (start % 4 !== 0 && matrix.storage.kind !== "scalars") {
    throw new RangeError(`columns of ${matrix.name} from ${start} do not start at a vec4`);
  }
  const { row, column } = matrix.origin;
  return { ...matrix, columns: count, origin: { row, column: column + start } };
}

/** How a kernel uses a matrix. `add` reads and writes the same elements: buffers alone can. */
export type MatrixAccess = "matrix" | "matrix_write" | "matrix_add";

/** The part of a matrix that its WGSL depends on. */
export function matrixShape({ storage, origin, isPart }: Matrix): string {
  const moved = isPart || origin.row > 0 || origin.column > 0;
  const offset = storage.kind === "texture" && moved ? " from an origin" : "";
  return `${storage.kind} ${storage.element}${offset}`;
}

/** The four words that the accessors take from the uniform `matrices`. */
export function matrixWords({ storage, stride, origin, columns }: Matrix): [number, number, number, number] {
  const base = origin.row * stride + origin.column;
  switch (storage.kind) {
    case "texture":
      return [origin.row, origin.column / 4, 0, 0];
    case "vectors":
      return [base / 4, stride / 4, 0, 0];
    case "scalars":
      return [base, stride, columns, 0];
  }
}

/** WGSL that declares the binding and its accessors. */
export function declareMatrix(name: string, binding: number, access: MatrixAccess, matrix: Matrix): string {
  const { storage: { kind, element } } = matrix;
  const reads = access !== "matrix_write";
  const writes = access !== "matrix";
  if (kind === "texture") {
    if (access === "matrix_add") throw new RangeError(`${matrix.name}: a texture cannot be read and written at once`);
    const at = matrixShape(matrix).endsWith("origin")
      ? `vec2((column >> 2u) + matrices.${name}.y, row + matrices.${name}.x)`
      : "vec2(column >> 2u, row)";
    return `@group(0) @binding(${binding}) var ${name}: texture_storage_2d<${textureFormat(element)}, ${
      reads ? "read" : "write"
    }>;\n` + (reads
      ? `fn load_${name}(row: u32, column: u32) -> vec4<f32> { return textureLoad(${name}, ${at}); }`
      : `fn store_${name}(row: u32, column: u32, value: vec4<f32>) { textureStore(${name}, ${at}, ${
        element === "f16" ? roundedToHalf("value") : "value"
      }); }`);
  }
  const type = kind === "vectors" ? `vec4<${element}>` : element;
  const declaration = `@group(0) @binding(${binding}) var<storage, ${
    writes ? "read_write" : "read"
  }> ${name}: array<${type}>;`;
  return [
    declaration,
    ...(kind === "vectors" ? vectorAccessors(name, element) : scalarAccessors(name, element))
      .filter((line) => (reads || !/^fn (load|element)_/.test(line)) && (writes || !line.startsWith("fn store_"))),
  ].join("\n");
}

/**
 * Nearest f16, ties to even, of a normal number: llvmpipe's textureStore cuts off what f16 has no bits for, and so draws
 * all that is stored towards 0.
 */
function roundedToHalf(value: string): string {
  const bits = `bitcast<vec4<u32>>(${value})`;
  return `bitcast<vec4<f32>>((${bits} + 0xfffu + ((${bits} >> vec4(13u)) & vec4(1u))) & vec4(0xffffe000u))`;
}

function vectorAccessors(name: string, element: ElementType): string[] {
  const at = `${name}[matrices.${name}.x + row * matrices.${name}.y + (column >> 2u)]`;
  return [
    `fn load_${name}(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(${at}); }`,
    `fn store_${name}(row: u32, column: u32, value: vec4<f32>) { ${at} = vec4<${element}>(value); }`,
  ];
}

function scalarAccessors(name: string, element: ElementType): string[] {
  const at = `${name}[matrices.${name}.x + row * matrices.${name}.y + column]`;
  const four = (part: (offset: string, component: string) => string, separator: string) =>
    ["x", "y", "z", "w"].map((component, i) => part(i === 0 ? "column" : `column + ${i}u`, component)).join(separator);
  return [
    `fn element_${name}(row: u32, column: u32) -> f32 { ` +
    `if (column < matrices.${name}.z) { return f32(${at}); } return 0.0; }`,
    `fn store_element_${name}(row: u32, column: u32, value: f32) { ` +
    `if (column < matrices.${name}.z) { ${at} = ${element}(value); } }`,
    `fn load_${name}(row: u32, column: u32) -> vec4<f32> { return vec4(${
      four((offset) => `element_${name}(row, ${offset})`, ", ")
    }); }`,
    `fn store_${name}(row: u32, column: u32, value: vec4<f32>) { ${
      four((offset, component) => `store_element_${name}(row, ${offset}, value.${component});`, " ")
    } }`,
  ];
}

export function textureFormat(element: ElementType): "rgba32float" | "rgba16float" {
  return element === "f16" ? "rgba16float" : "rgba32float";
}
