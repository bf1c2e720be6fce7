import { type Choices, variantFor } from "./choices.ts";
import type { Gpu } from "./device.ts";
import { type Access, type BindingsOf, type Cost, type Kernel, matrixNames, type Variant } from "./kernel.ts";
import { elementBytes, type Matrix, matrixWords, textureFormat } from "./matrix.ts";
import type { BufferRange, TextureOperand } from "./memory.ts";
import { COPIED_ROW_BYTES } from "./sizes.ts";

/** A prepared dispatch, and what it was made of. */
export interface Dispatch {
  kind: "dispatch";
  label: string;
  kernel: Kernel;
  variant: Variant<string>;
  bindings: BindingsOf<string>;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: [number, number];
  dims: Readonly<Record<string, number>>;
  cost: Cost;
}
type Step =
  | Dispatch
  | { kind: "clear"; range: BufferRange }
  | { kind: "copy"; from: BufferRange; to: BufferRange }
  | { kind: "copy to texture"; from: Matrix; to: Matrix };

type BindingLayout = Omit<GPUBindGroupLayoutEntry, "binding" | "visibility">;

function bindingLayout(access: Access, bound: BufferRange | Matrix): BindingLayout {
  if ("storage" in bound && bound.storage.kind === "texture") {
    const format = textureFormat(bound.storage.element);
    return { storageTexture: { access: access === "matrix" ? "read-only" : "write-only", format } };
  }
  if (access === "uniform") return { buffer: { type: "uniform" } };
  return { buffer: { type: access === "read" || access === "matrix" ? "read-only-storage" : "storage" } };
}

/**
 * A list of prepared dispatches, recorded once and encoded each step: bind groups cost 5–17 µs each and are made
 * here, so encoding 400 dispatches takes 0.6 ms and a step allocates nothing.
 */
export class Plan {
  readonly #steps: Step[] = [];
  readonly #uniforms = new Map<string, GPUBuffer>();

  constructor(readonly gpu: Gpu, readonly label: string, readonly choices: Choices = {}) {}

  /**
   * Appends one run of `kernel`; the plan keeps the small uniform buffers that hold `dims` and where matrices lie.
   * @param variant pins one, whatever the plan's choices say
   */
  record<B extends string, D extends string>(
    kernel: Kernel<B, D>,
    bindings: BindingsOf<NoInfer<B>>,
    dims: Record<NoInfer<D>, number>,
    variant: Variant<NoInfer<D>> = variantFor(kernel, dims, bindings, {
      adapter: this.gpu.traits,
      choices: this.choices,
    }),
  ): void {
    const device = this.gpu.device;
    const names = Object.keys(kernel.bindings) as B[];
    for (const name of names) {
      if (kernel.bindings[name].startsWith("matrix") !== ("storage" in bindings[name])) {
        throw new TypeError(`${kernel.name}: ${name} is ${kernel.bindings[name]}, and was given something else`);
      }
    }
    const uniforms = [kernel.pack(dims)];
    const matrices = matrixNames(kernel.bindings).map((name) => bindings[name] as Matrix);
    if (matrices.length > 0) uniforms.push(new Uint8Array(Uint32Array.from(matrices.flatMap(matrixWords)).buffer));
    const [dimsBuffer, ...matricesBuffer] = uniforms.map((bytes) => ({ buffer: this.#uniform(bytes) }));
    const uniform: BindingLayout = { buffer: { type: "uniform" } };
    const layout = device.createBindGroupLayout({
      label: kernel.name,
      entries: [
        uniform,
        ...names.map((name) => bindingLayout(kernel.bindings[name], bindings[name])),
        ...matricesBuffer.map(() => uniform),
      ].map((entry, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, ...entry })),
    });
    const bindGroup = device.createBindGroup({
      label: kernel.name,
      layout,
      entries: [
        dimsBuffer,
        ...names.map((name) => this.#bindable(kernel.name, name, bindings[name])),
        ...matricesBuffer,
      ]
        .map((resource, binding) => ({ binding, resource })),
    });
    this.#steps.push({
      kind: "dispatch",
      label: kernel.name,
      kernel: kernel as unknown as Kernel,
      variant,
      bindings,
      pipeline: this.gpu.pipeline(kernel.name, kernel.code(variant, dims, bindings), layout),
      bindGroup,
      workgroups: fold(variant.workgroups(dims), this.gpu.limits.maxComputeWorkgroupsPerDimension),
      dims,
      cost: kernel.cost(dims),
    });
  }

  /** Appends zeroing of a range. */
  clear(range: BufferRange): void {
    this.#steps.push({ kind: "clear", range });
  }

  /** Appends a copy of `from.size` bytes. */
  copy(from: BufferRange, to: BufferRange): void {
    if (from.size !== to.size) throw new RangeError(`${this.label}: copy of ${from.size} bytes into ${to.size}`);
    this.#steps.push({ kind: "copy", from, to });
  }

  /** Appends a copy of a matrix in a buffer into a texture of the same element; see `copiesToTexture`. */
  copyToTexture(from: Matrix, to: Matrix): void {
    this.#steps.push({ kind: "copy to texture", from, to });
  }

  /** Appends the plan's work to `encoder`; neighbouring dispatches share a compute pass. */
  encode(encoder: GPUCommandEncoder): void {
    let pass: GPUComputePassEncoder | null = null;
    for (const step of this.#steps) {
      if (step.kind === "dispatch") {
        pass ??= encoder.beginComputePass();
        pass.setPipeline(step.pipeline);
        pass.setBindGroup(0, step.bindGroup);
        pass.dispatchWorkgroups(...step.workgroups);
        continue;
      }
      pass?.end();
      pass = null;
      encodeTransfer(encoder, step);
    }
    pass?.end();
  }

  /** Submits the plan's work, `times` over. */
  submit(times = 1): void {
    const encoder = this.gpu.device.createCommandEncoder({ label: this.label });
    for (let i = 0; i < times; i++) this.encode(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /**
   * As `encode`, with a pass of its own for each dispatch; the `count` from the `first` on write their begin and end
   * times into the query set: see `timing.ts`.
   */
  encodeTimed(encoder: GPUCommandEncoder, querySet: GPUQuerySet, first: number, count: number): void {
    let index = -first;
    for (const step of this.#steps) {
      if (step.kind !== "dispatch") {
        encodeTransfer(encoder, step);
        continue;
      }
      const timed = index >= 0 && index < count;
      const pass = encoder.beginComputePass(
        timed
          ? { timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 } }
          : {},
      );
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, step.bindGroup);
      pass.dispatchWorkgroups(...step.workgroups);
      pass.end();
      index++;
    }
  }

  /** Each dispatch, in order. */
  get dispatches(): readonly Dispatch[] {
    return this.#steps.filter((step) => step.kind === "dispatch");
  }

  free(): void {
    for (const buffer of this.#uniforms.values()) buffer.destroy();
    this.#uniforms.clear();
    this.#steps.length = 0;
  }

  #bindable(kernel: string, name: string, bound: BufferRange | Matrix): GPUBindingResource {
    const range = "storage" in bound ? bound.resource : bound;
    if ("view" in range) return range.view;
    if (range.size > this.gpu.limits.maxStorageBufferBindingSize) {
      throw new RangeError(
        `${kernel}: ${name} is ${range.size} bytes, a binding at most ${this.gpu.limits.maxStorageBufferBindingSize}`,
      );
    }
    return { buffer: range.buffer, offset: range.offset, size: range.size };
  }

  /** Layers of one shape share one uniform buffer. */
  #uniform(bytes: Uint8Array<ArrayBuffer>): GPUBuffer {
    const key = bytes.join();
    let buffer = this.#uniforms.get(key);
    if (!buffer) {
      buffer = this.gpu.device.createBuffer({
        label: `${this.label} uniform`,
        size: Math.max(bytes.byteLength, 16),
        usage: GPUBufferUsage.UNIFORM,
        mappedAtCreation: true,
      });
      new Uint8Array(buffer.getMappedRange()).set(bytes);
      buffer.unmap();
      this.#uniforms.set(key, buffer);
    }
    return buffer;
  }
}

/** Whether WebGPU can copy `from` into `to` as it lies: rows of whole 256-byte lines, the same elements, from the start. */
export function copiesToTexture(from: Matrix, to: Matrix): boolean {
  return "buffer" in from.resource && "texture" in to.resource && from.storage.element === to.storage.element &&
    from.stride * elementBytes(from.storage) % COPIED_ROW_BYTES === 0 && from.columns === from.stride &&
    [from.origin, to.origin].every(({ row, column }) => row === 0 && column === 0);
}

function encodeTransfer(encoder: GPUCommandEncoder, step: Exclude<Step, Dispatch>): void {
  if (step.kind === "clear") {
    encoder.clearBuffer(step.range.buffer, step.range.offset, step.range.size);
  } else if (step.kind === "copy to texture") {
    const { rows, columns, stride, storage } = step.from;
    const { buffer, offset } = step.from.resource as BufferRange;
    const { texture } = step.to.resource as TextureOperand;
    const bytesPerRow = stride * elementBytes(storage);
    encoder.copyBufferToTexture({ buffer, offset, bytesPerRow }, { texture }, [columns / 4, rows]);
  } else {
    const { from, to } = step;
    encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.size);
  }
}

/** Kernels take their workgroup's number as `group.y * groups.x + group.x`, and ignore those past the end. */
function fold(workgroups: number, limit: number): [number, number] {
  const y = Math.ceil(workgroups / limit);
  return [Math.ceil(workgroups / y), y];
}
