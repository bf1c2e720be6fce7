import { describe, expect, test } from "bun:test";
import { candidatesFor, choiceKey, variantFor } from "#src/gpu/choices.ts";
import { type AdapterTraits, defineKernel } from "#src/gpu/kernel.ts";
import { matrixIn } from "#src/gpu/matrix.ts";

const SOFTWARE: AdapterTraits = { software: true, subgroupSize: 8 };
const CARD: AdapterTraits = { software: false, subgroupSize: null };

const spec = {
  name: "example",
  source: `struct Dims { rows: u32 }
    @group(0) @binding(0) var<uniform> dims: Dims;
    @compute @workgroup_size(1) fn main() {}`,
  bindings: { x: "matrix", y: "matrix_write" },
  dims: { rows: "u32" },
  shape: ({ rows }: { rows: number }) => `${rows} rows`,
  variants: [
    { name: "first", when: ({ rows }: { rows: number }) => rows >= 8, workgroups: () => 1 },
    {
      name: "software's",
      when: (_: unknown, { software }: { software: boolean }) => software,
      candidate: true,
      workgroups: () => 1,
    },
    { name: "unlikely", when: () => true, workgroups: () => 1 },
    { name: "any", candidate: true, workgroups: () => 1 },
  ],
  cost: () => ({ flops: 0, bytes: 0 }),
} as const;
const kernel = defineKernel(spec);

const buffer = {} as GPUBuffer;
const matrix = (columns: number) => matrixIn("m", { buffer, offset: 0, size: 4 * 8 * columns }, 8, columns);
const bindings = { x: matrix(4), y: matrix(5) };

describe("a choice's key", () => {
  test("names the kernel, its shape and how each matrix is stored", () => {
    expect(choiceKey(kernel, { rows: 8 }, bindings)).toBe("example 8 rows: vectors f32, scalars f32");
    expect(choiceKey(kernel, { rows: 9 }, bindings)).toBe("example 9 rows: vectors f32, scalars f32");
    expect(choiceKey(kernel, { rows: 8 }, { x: matrix(5), y: matrix(5) })).toBe(
      "example 8 rows: scalars f32, scalars f32",
    );
  });

  test("is none where a kernel has nothing to choose", () => {
    expect(choiceKey(defineKernel({ ...spec, shape: undefined }), { rows: 8 }, bindings)).toBeNull();
  });
});

describe("a variant", () => {
  const choose = (name: string, adapter = SOFTWARE, rows = 8) => {
    const choices = { "example 8 rows: vectors f32, scalars f32": name };
    return variantFor(kernel, { rows }, bindings, { adapter, choices }).name;
  };

  test("is the chosen one", () => {
    expect(choose("any")).toBe("any");
    expect(choose("software's")).toBe("software's");
  });

  test("is the first that fits where the chosen one does not fit this adapter or is no more", () => {
    expect(choose("software's", CARD)).toBe("first");
    expect(choose("of another version")).toBe("first");
  });

  test("of another shape is not chosen", () => {
    expect(choose("any", SOFTWARE, 9)).toBe("first");
  });
});

test("candidates are the first that fits, then all marked ones that fit", () => {
  const names = (rows: number, adapter: AdapterTraits) =>
    candidatesFor(kernel, { rows }, adapter).map(({ name }) => name);
  expect(names(8, SOFTWARE)).toEqual(["first", "software's", "any"]);
  expect(names(8, CARD)).toEqual(["first", "any"]);
  expect(names(7, SOFTWARE)).toEqual(["software's", "any"]);
});
