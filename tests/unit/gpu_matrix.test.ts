import { describe, expect, test } from "bun:test";
import {
  declareMatrix,
  F32_VECTORS,
  type Matrix,
  matrixBytes,
  matrixColumns,
  matrixIn,
  matrixRows,
  matrixShape,
  type MatrixStorage,
  matrixStride,
  matrixWords,
} from "#src/gpu/matrix.ts";

const RANGE = { buffer: {} as GPUBuffer, offset: 256, size: 1024 };
const TEXTURE = { kind: "texture", element: "f32" } as const;
const SCALARS = { kind: "scalars", element: "f32" } as const;
const HALF_TEXTURE = { kind: "texture", element: "f16" } as const;
const HALF_SCALARS = { kind: "scalars", element: "f16" } as const;

function matrix(rows: number, columns: number, storage: MatrixStorage): Matrix {
  const origin = { row: 0, column: 0 };
  return { name: "m", rows, columns, storage, stride: matrixStride(columns, storage), origin, resource: RANGE };
}

/** Names of the functions that a declaration has. */
const functions = (wgsl: string) => [...wgsl.matchAll(/fn (\w+)\(/g)].map(([, name]) => name);

describe("a matrix's memory", () => {
  test("has rows of whole vec4s, but of scalars as long as they are", () => {
    expect(matrixStride(5, TEXTURE)).toBe(8);
    expect(matrixStride(5, F32_VECTORS)).toBe(8);
    expect(matrixStride(5, SCALARS)).toBe(5);
    expect(matrixBytes(3, 5, F32_VECTORS)).toBe(96);
    expect(matrixBytes(3, 5, HALF_TEXTURE)).toBe(3 * 64);
    expect(matrixBytes(3, 5, HALF_SCALARS)).toBe(30);
  });

  test("in an arena is of vec4s where rows are whole ones", () => {
    expect(matrixIn("w", RANGE, 3, 8)).toMatchObject({ storage: F32_VECTORS, stride: 8, resource: RANGE });
    expect(matrixIn("w", RANGE, 3, 5)).toMatchObject({ storage: SCALARS, stride: 5 });
  });
});

describe("a part of a matrix", () => {
  test("begins where its rows and columns do, of what the whole has", () => {
    const part = matrixColumns(matrixRows(matrix(9, 20, F32_VECTORS), 2, 3), 8, 7);
    expect(part).toMatchObject({ rows: 3, columns: 7, stride: 20, origin: { row: 2, column: 8 } });
    expect(matrixRows(matrixColumns(part, 4, 2), 1, 1).origin).toEqual({ row: 3, column: 12 });
    expect(matrixWords(part)).toEqual([(2 * 20 + 8) / 4, 5, 0, 0]);
    expect(matrixWords(matrixColumns(matrixRows(matrix(9, 20, TEXTURE), 2, 3), 8, 7))).toEqual([2, 2, 0, 0]);
    expect(matrixWords(matrixColumns(matrixRows(matrix(9, 21, SCALARS), 2, 3), 3, 7))).toEqual([45, 21, 7, 0]);
  });

  test("begins at a vec4, unless it is of scalars", () => {
    expect(() => matrixColumns(matrix(9, 20, TEXTURE), 2, 4)).toThrow("columns of m from 2 do not start at a vec4");
    expect(() => matrixColumns(matrix(9, 20, F32_VECTORS), 2, 4)).toThrow(RangeError);
  });

  test("changes the program of textures alone, which add its origin only where there is one", () => {
    for (const storage of [F32_VECTORS, SCALARS, TEXTURE]) {
      const whole = matrix(9, 20, storage);
      const same = matrixShape(whole) === matrixShape(matrixRows(whole, 1, 2));
      expect(same).toBe(storage.kind !== "texture");
    }
    expect(declareMatrix("x", 1, "matrix", matrix(9, 20, TEXTURE))).not.toContain("matrices");
    expect(declareMatrix("x", 1, "matrix", matrixRows(matrix(9, 20, TEXTURE), 1, 2))).toContain("matrices.x");
  });
});

describe("a matrix's WGSL", () => {
  test("has what the access allows", () => {
    for (const storage of [F32_VECTORS, TEXTURE]) {
      expect(functions(declareMatrix("x", 1, "matrix", matrix(2, 8, storage)))).toEqual(["load_x"]);
      expect(functions(declareMatrix("x", 1, "matrix_write", matrix(2, 8, storage)))).toEqual(["store_x"]);
    }
    expect(functions(declareMatrix("x", 1, "matrix_add", matrix(2, 8, F32_VECTORS)))).toEqual(["load_x", "store_x"]);
    expect(functions(declareMatrix("x", 1, "matrix", matrix(2, 5, SCALARS)))).toEqual(["element_x", "load_x"]);
    expect(functions(declareMatrix("x", 1, "matrix_write", matrix(2, 5, SCALARS)))).toEqual([
      "store_element_x",
      "store_x",
    ]);
  });

  test("binds buffers by access, and textures by format", () => {
    const declare = (access: "matrix" | "matrix_write" | "matrix_add", storage: MatrixStorage) =>
      declareMatrix("x", 3, access, matrix(2, 8, storage)).split("\n")[0];
    expect(declare("matrix", F32_VECTORS)).toBe("@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;");
    expect(declare("matrix_add", HALF_SCALARS)).toBe("@group(0) @binding(3) var<storage, read_write> x: array<f16>;");
    expect(declare("matrix", TEXTURE)).toBe("@group(0) @binding(3) var x: texture_storage_2d<rgba32float, read>;");
    expect(declare("matrix_write", HALF_TEXTURE)).toBe(
      "@group(0) @binding(3) var x: texture_storage_2d<rgba16float, write>;",
    );
  });

  test("never reads and writes one texture", () => {
    expect(() => declareMatrix("x", 1, "matrix_add", matrix(2, 8, TEXTURE))).toThrow(
      "m: a texture cannot be read and written at once",
    );
  });
});
