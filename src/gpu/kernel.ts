import type { BufferRange, TextureOperand } from "./memory.ts";

/**
 * A kernel is one WGSL program with a typed description beside it; `defineKernel` holds the two against each other.
 * `kernels/README.md` is the contract.
 */

/** `texture` is a `texture_storage_2d<rgba32float, read>`: a matrix as vec4 texels. */
export type Access = "uniform" | "read" | "read_write" | "texture";
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
}

/** One way to run a kernel on given dims. The first whose `when` holds is taken; the last must always fit. */
export interface Variant<D extends string> {
  name: string;
  when?(dims: Dims<D>, adapter: AdapterTraits): boolean;
  /** Values appended to the WGSL as `const NAME: u32 = value;`. */
  constants?(dims: Dims<D>): Record<string, number>;
  /** WGSL that replaces the marker `//#body` in the source: unrolled loops from an emitter. */
  body?(): string;
  /** Workgroups in all; folded into x and y where they pass the device's 65,535. */
  workgroups(dims: Dims<D>): number;
}

export interface KernelSpec<B extends string, D extends string> {
  name: string;
  /** WGSL with one entry point `main`; binding 0 is `var<uniform> dims: Dims`, the others follow in order. */
  source: string;
  bindings: Record<B, Access>;
  /** Fields of the WGSL's `struct Dims`, in order. */
  dims: Record<D, Scalar>;
  variants: readonly Variant<NoInfer<D>>[];
  cost(dims: Dims<D>): Cost;
}

export interface Kernel<B extends string = string, D extends string = string> extends KernelSpec<B, D> {
  choose(dims: Dims<D>, adapter: AdapterTraits): Variant<D>;
  code(variant: Variant<D>, dims: Dims<D>): string;
  /** The bytes of the `dims` uniform. */
  pack(dims: Dims<D>): Uint8Array<ArrayBuffer>;
}

export type BindingsOf<B extends string> = Record<B, BufferRange | TextureOperand>;

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
    code: (variant, dims) => {
      // Appended, not prepended: the line numbers of compile errors stay those of the file.
      const constants = Object.entries(variant.constants?.(dims) ?? {});
      const body = variant.body ? spec.source.replace("//#body", () => variant.body!()) : spec.source;
      return body + constants.map(([name, value]) => `\nconst ${name}: u32 = ${value}u;`).join("") + "\n";
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

const BINDING = new RegExp(
  /@group\(0\)\s*@binding\((\d+)\)\s*var/.source + // index
    /(?:<\s*(uniform|storage)\s*(?:,\s*(read|read_write)\s*)?>)?/.source + // address space and access of a buffer
    /\s*(\w+)\s*:\s*(texture_storage_2d<rgba32float,\s*read>)?/.source, // name, and whether it is a texture
  "g",
);

function assertAgrees(spec: KernelSpec<string, string>): void {
  const inWgsl = [...spec.source.matchAll(BINDING)]
    .map(([, index, space, access, name, texture]) => ({
      index: Number(index),
      name,
      access: texture ? "texture" : space === "uniform" ? space : access,
    }))
    .sort((a, b) => a.index - b.index)
    .map(({ index, name, access }) => `${index} ${name} ${access}`);
  const declared = Object.entries({ dims: "uniform", ...spec.bindings }).map(([name, access], i) =>
    `${i} ${name} ${access}`
  );
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
