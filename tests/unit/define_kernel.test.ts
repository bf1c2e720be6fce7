import { describe, expect, test } from "bun:test";
import { defineKernel } from "#src/gpu/kernel.ts";

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
    expect(kernel.choose({ rows: 64, scale: 1 }, { software: true }).name).toBe("wide");
    expect(kernel.choose({ rows: 63, scale: 1 }, { software: true }).name).toBe("any");
  });

  test("appends constants after the source and puts the body in its place, verbatim", () => {
    const dims = { rows: 1, scale: 1 };
    expect(kernel.code(variants[1], dims)).toBe(
      source.replace("//#body", () => "let $& = 1;") + "\nconst WIDTH: u32 = 1u;\n",
    );
    expect(kernel.code(variants[0], dims)).toStartWith(source);
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
