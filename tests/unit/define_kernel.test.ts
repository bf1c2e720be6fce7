import { describe, expect, test } from "bun:test";
import { defineKernel } from "#src/gpu/kernel.ts";
import { F32_VECTORS, type Matrix, type MatrixStorage, matrixStride } from "#src/gpu/matrix.ts";

const source = `
  struct Dims {
    rows: u32, // N
    scale: f32,
  }
  @group(0) @binding(0) var<uniform> dims: Dims;
  @group(0) @binding(1) var<storage, read> x: array<f32>;
  @group(0) @binding(2) var<storage, read_write> out: array<f32>;
  @compute @workgroup_size(WIDTH) fn main() {
    //#body
  }
`;

const variants = [
  {
    name: "wide",
    when: ({ rows }: { rows: number }) => rows >= 64,
    constants: () => ({ WIDTH: 64 }),
    workgroups: () => 1,
  },
  { name: "any", constants: () => ({ WIDTH: 1 }), body: () => "let $& = 1;", workgroups: () => 1 },
];

const spec = {
  name: "example",
  source,
  bindings: { x: "read", out: "read_write" },
  dims: { rows: "u32", scale: "f32" },
  variants,
  cost: () => ({ flops: 0, bytes: 0 }),
} as const;

describe("a kernel and its description", () => {
  test("must name the same bindings in the same order with the same access", () => {
    expect(() => defineKernel({ ...spec, bindings: { out: "read_write", x: "read" } })).toThrow(/example: WGSL binds/);
    expect(() => defineKernel({ ...spec, bindings: { x: "read", out: "read" } })).toThrow(/example: WGSL binds/);
    expect(() => defineKernel({ ...spec, bindings: { x: "read" } })).toThrow(/example: WGSL binds/);
  });

  test("must name the same dims in the same order with the same types", () => {
    expect(() => defineKernel({ ...spec, dims: { rows: "u32" } })).toThrow(/example: struct Dims has/);
    expect(() => defineKernel({ ...spec, dims: { rows: "u32", scale: "u32" } })).toThrow(/example: struct Dims has/);
    expect(() => defineKernel({ ...spec, dims: { scale: "f32", rows: "u32" } })).toThrow(/example: struct Dims has/);
  });

  test("must end with a variant that always fits", () => {
    expect(() => defineKernel({ ...spec, variants: [variants[1], variants[0]] })).toThrow(
      "the last variant must always fit",
    );
  });
});

describe("a defined kernel", () => {
  const kernel = defineKernel(spec);

  test("takes the first variant that fits", () => {
    expect(kernel.choose({ rows: 64, scale: 1 }, { software: true, subgroupSize: null }).name).toBe("wide");
    expect(kernel.choose({ rows: 63, scale: 1 }, { software: true, subgroupSize: null }).name).toBe("any");
  });

  test("appends constants after the source and puts the body in its place, verbatim", () => {
    const dims = { rows: 1, scale: 1 };
    expect(kernel.code(variants[1], dims, {})).toBe(
      source.replace("//#body", () => "let $& = 1;") + "\nconst WIDTH: u32 = 1u;\n",
    );
    expect(kernel.code(variants[0], dims, {})).toStartWith(source);
  });

  test("packs dims as the uniform lies in memory: 4 bytes each, padded to 16", () => {
    const bytes = kernel.pack({ rows: 0xffff_fffe, scale: 0.5 });
    expect(bytes.byteLength).toBe(16);
    expect([...new Uint32Array(bytes.buffer)]).toEqual([0xffff_fffe, 0x3f00_0000, 0, 0]);
  });

  test.each([[-1], [1.5], [2 ** 32], [NaN]])("refuses %p for a u32", (rows) => {
    expect(() => kernel.pack({ rows, scale: 1 })).toThrow(/example: dim rows must be a u32/);
  });
});

describe("a kernel of matrices", () => {
  const kernel = defineKernel({
    ...spec,
    source: source.replace("binding(2)", "binding(3)"),
    bindings: { x: "read", a: "matrix", out: "read_write", c: "matrix_write" },
  });
  const resource = { buffer: {} as GPUBuffer, offset: 0, size: 128 };
  const matrix = (storage: MatrixStorage): Matrix => (
    {
      name: "m",
      rows: 2,
      columns: 8,
      storage,
      stride: matrixStride(8, storage),
      origin: { row: 0, column: 0 },
      resource,
    }
  );

  test("leaves them out of its WGSL, at their places in the order", () => {
    expect(() => defineKernel({ ...kernel, source })).toThrow(/example: WGSL binds/);
    expect(() => defineKernel({ ...kernel, bindings: { x: "matrix", out: "read_write" } })).toThrow(
      /example: WGSL binds/,
    );
  });

  test("gets their declarations by how they are stored, and where they begin from the last binding", () => {
    const texture = { kind: "texture", element: "f16" } as const;
    const code = kernel.code(variants[1], { rows: 1, scale: 1 }, { a: matrix(F32_VECTORS), c: matrix(texture) });
    expect(code).toContain("@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;");
    expect(code).toContain("@group(0) @binding(4) var c: texture_storage_2d<rgba16float, write>;");
    expect(code).toContain("struct Matrices { a: vec4<u32>, c: vec4<u32> }");
    expect(code).toContain("@group(0) @binding(5) var<uniform> matrices: Matrices;");
    const other = kernel.code(variants[1], { rows: 1, scale: 1 }, { a: matrix(texture), c: matrix(texture) });
    expect(other).not.toBe(code);
  });
});
