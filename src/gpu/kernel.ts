import { declareMatrix, type Matrix, type MatrixAccess } from "./matrix.ts";
import type { BufferRange } from "./memory.ts";

/**
 * A kernel is one WGSL program with a typed description beside it; `defineKernel` holds the two against each other.
 * `kernels/README.md` is the contract.
 */

/** Plain buffers, which the WGSL declares; and matrices, whose declaration and accessors `matrix.ts` writes. */
export type BufferAccess = "uniform" | "read" | "read_write";
export type Access = BufferAccess | MatrixAccess;
export type Scalar = "u32" | "f32";

export interface Cost {
  /** Floating-point operations. */
  flops: number;
  /** Bytes that must cross memory at least once. */
  bytes: number;
}

type Dims<D extends string> = Record<D, number>;

/** What a variant may ask of the adapter. */
export interface AdapterTraits {
  software: boolean;
  /** Lanes of every subgroup; null where subgroup built-ins do not work. */
  subgroupSize: number | null;
}

/** One way to run a kernel on given dims. The first whose `when` holds is taken; the last must always fit. */
export interface Variant<D extends string> {
  name: string;
  when?(dims: Dims<D>, adapter: AdapterTraits): boolean;
  /** Where it fits it may be the fastest, wherever it stands: a tuner times it (`choices.ts`). */
  candidate?: boolean;
  /** Values appended to the WGSL as `const NAME: u32 = value;`. */
  constants?(dims: Dims<D>): Record<string, number>;
  /** WGSL that replaces the marker `//#body` in the source: unrolled loops from an emitter. */
  body?(dims: Dims<D>): string;
  /** Workgroups in all; folded into x and y where they pass the device's 65,535. */
  workgroups(dims: Dims<D>): number;
}

export interface KernelSpec<B extends string, D extends string> {
  name: string;
  /** WGSL with one entry point `main`; binding 0 is `var<uniform> dims: Dims`, the others follow in order. */
  source: string;
  /** Where some are matrices, the uniform `matrices` comes last: where each begins, and its rows' stride. */
  bindings: Record<B, Access>;
  /** Fields of the WGSL's `struct Dims`, in order. */
  dims: Record<D, Scalar>;
  variants: readonly Variant<NoInfer<D>>[];
  /** What of `dims` the variants' speeds depend on, as text. A kernel without it is not tuned. */
  shape?(dims: Dims<D>): string;
  cost(dims: Dims<D>): Cost;
}

export interface Kernel<B extends string = string, D extends string = string> extends KernelSpec<B, D> {
  choose(dims: Dims<D>, adapter: AdapterTraits): Variant<D>;
  /** The program for these dims and for matrices stored as these are. */
  code(variant: Variant<D>, dims: Dims<D>, bound: Partial<BindingsOf<B>>): string;
  /** The bytes of the `dims` uniform. */
  pack(dims: Dims<D>): Uint8Array<ArrayBuffer>;
}

export type BindingsOf<B extends string> = Record<B, BufferRange | Matrix>;

/** The names that are matrices, in the order of their words in the uniform `matrices`. */
export function matrixNames<B extends string>(bindings: Record<B, Access>): B[] {
  return (Object.keys(bindings) as B[]).filter((name) => bindings[name].startsWith("matrix"));
}

/** @throws Error at import when the WGSL and the description disagree */
export function defineKernel<B extends string, D extends string>(spec: KernelSpec<B, D>): Kernel<B, D> {
  assertAgrees(spec);
  const fields = Object.entries(spec.dims) as [D, Scalar][];
  return {
    ...spec,
    choose: (dims, adapter) => {
      const variant = spec.variants.find(({ when }) => when === undefined || when(dims, adapter));
      if (!variant) throw new Error(`${spec.name}: no variant fits ${JSON.stringify(dims)}`);
      return variant;
    },
    code: (variant, dims, bound) => {
      // Appended, not prepended: the line numbers of compile errors stay those of the file.
      const constants = Object.entries(variant.constants?.(dims) ?? {});
      const body = variant.body ? spec.source.replace("//#body", () => variant.body!(dims)) : spec.source;
      return body + constants.map(([name, value]) => `\nconst ${name}: u32 = ${value}u;`).join("") + "\n" +
        declareMatrices(spec.bindings, bound);
    },
    pack: (dims) => {
      const bytes = new Uint8Array(Math.ceil(fields.length / 4) * 16);
      const view = new DataView(bytes.buffer);
      fields.forEach(([name, scalar], index) => {
        const value = dims[name];
        if (value === undefined) throw new Error(`${spec.name}: dim ${name} is missing`);
        if (scalar === "f32") return view.setFloat32(index * 4, value, true);
        if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
          throw new RangeError(`${spec.name}: dim ${name} must be a u32, not ${value}`);
        }
        view.setUint32(index * 4, value, true);
      });
      return bytes;
    },
  };
}

function declareMatrices<B extends string>(bindings: Record<B, Access>, bound: Partial<BindingsOf<B>>): string {
  const names = matrixNames(bindings);
  if (names.length === 0) return "";
  const order = Object.keys(bindings);
  const declarations = names.map((name) =>
    declareMatrix(name, 1 + order.indexOf(name), bindings[name] as MatrixAccess, bound[name] as Matrix)
  );
  return `${declarations.join("\n")}\nstruct Matrices { ${names.map((name) => `${name}: vec4<u32>`).join(", ")} }\n` +
    `@group(0) @binding(${1 + order.length}) var<uniform> matrices: Matrices;\n`;
}

const BINDING =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(uniform|storage)\s*(?:,\s*(read|read_write)\s*)?>\s*(\w+)\s*:/g;

function assertAgrees(spec: KernelSpec<string, string>): void {
  const inWgsl = [...spec.source.matchAll(BINDING)]
    .map(([, index, space, access, name]) => ({
      index: Number(index),
      text: `${index} ${name} ${space === "uniform" ? space : access}`,
    }))
    .sort((a, b) => a.index - b.index)
    .map(({ text }) => text);
  const declared = Object.entries({ dims: "uniform", ...spec.bindings })
    .map(([name, access], index) => ({ access, text: `${index} ${name} ${access}` }))
    .filter(({ access }) => !access.startsWith("matrix"))
    .map(({ text }) => text);
  if (inWgsl.join("; ") !== declared.join("; ")) {
    throw new Error(`${spec.name}: WGSL binds [${inWgsl.join("; ")}], the description says [${declared.join("; ")}]`);
  }
  const struct = spec.source.match(/struct Dims\s*\{([^}]*)\}/)?.[1] ?? "";
  const fields = [...struct.replace(/\/\/.*$/gm, "").matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, name, type]) =>
    `${name}: ${type}`
  );
  const dims = Object.entries(spec.dims).map(([name, type]) => `${name}: ${type}`);
  if (fields.join(", ") !== dims.join(", ")) {
    throw new Error(`${spec.name}: struct Dims has {${fields.join(", ")}}, the description {${dims.join(", ")}}`);
  }
  if (spec.variants.at(-1)?.when) throw new Error(`${spec.name}: the last variant must always fit`);
}
