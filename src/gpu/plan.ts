import type { Gpu } from "./device.ts";
import type { Access, BindingsOf, Cost, Kernel } from "./kernel.ts";
import type { BufferRange, TextureOperand } from "./memory.ts";

interface Dispatch {
  kind: "dispatch";
  label: string;
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
  | { kind: "copy to texture"; from: BufferRange; to: TextureOperand; rows: number; columns: number };

const LAYOUTS: Record<Access, Omit<GPUBindGroupLayoutEntry, "binding" | "visibility">> = {
  uniform: { buffer: { type: "uniform" } },
  read: { buffer: { type: "read-only-storage" } },
  read_write: { buffer: { type: "storage" } },
  texture: { storageTexture: { access: "read-only", format: "rgba32float" } },
};

/**
 * A list of prepared dispatches, recorded once and encoded each step: bind groups cost 5–17 µs each and are made
 * here, so encoding 400 dispatches takes 0.6 ms and a step allocates nothing.
 */
export class Plan {
  readonly #steps: Step[] = [];
  readonly #dims = new Map<string, GPUBuffer>();

  constructor(readonly gpu: Gpu, readonly label: string) {}

  /** Appends one run of `kernel`; the plan keeps the small uniform buffer that holds `dims`. */
  record<B extends string, D extends string>(
    kernel: Kernel<B, D>,
    bindings: BindingsOf<NoInfer<B>>,
    dims: Record<NoInfer<D>, number>,
  ): void {
    const variant = kernel.choose(dims, this.gpu.identity);
    const device = this.gpu.device;
    const layout = device.createBindGroupLayout({
      label: kernel.name,
      entries: Object.values<Access>({ dims: "uniform", ...kernel.bindings }).map((access, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        ...LAYOUTS[access],
      })),
    });
    const ranges = (Object.keys(kernel.bindings) as B[]).map((name) =>
      this.#bindable(kernel.name, name, bindings[name])
    );
    const bindGroup = device.createBindGroup({
      label: kernel.name,
      layout,
      entries: [{ buffer: this.#dimsBuffer(kernel.pack(dims)) }, ...ranges].map((resource, binding) => ({
        binding,
        resource,
      })),
    });
    this.#steps.push({
      kind: "dispatch",
      label: kernel.name,
      pipeline: this.gpu.pipeline(kernel.name, kernel.code(variant, dims), layout),
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

  /** Appends a copy of a matrix of `columns` f32 a row into the texture's corner; rows are a multiple of 64 elements. */
  copyToTexture(from: BufferRange, to: TextureOperand, { rows, columns }: { rows: number; columns: number }): void {
    this.#steps.push({ kind: "copy to texture", from, to, rows, columns });
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

  /** Each dispatch's kernel, dims and cost, in order. */
  get dispatches(): readonly { label: string; dims: Readonly<Record<string, number>>; cost: Cost }[] {
    return this.#steps.filter((step) => step.kind === "dispatch");
  }

  free(): void {
    for (const buffer of this.#dims.values()) buffer.destroy();
    this.#dims.clear();
    this.#steps.length = 0;
  }

  #bindable(kernel: string, name: string, range: BufferRange | TextureOperand): GPUBindingResource {
    if ("view" in range) return range.view;
    if (range.size > this.gpu.limits.maxStorageBufferBindingSize) {
      throw new RangeError(
        `${kernel}: ${name} is ${range.size} bytes, a binding at most ${this.gpu.limits.maxStorageBufferBindingSize}`,
      );
    }
    return { buffer: range.buffer, offset: range.offset, size: range.size };
  }

  /** Layers of one shape share one uniform buffer. */
  #dimsBuffer(bytes: Uint8Array<ArrayBuffer>): GPUBuffer {
    const key = bytes.join();
    let buffer = this.#dims.get(key);
    if (!buffer) {
      buffer = this.gpu.device.createBuffer({
        label: `${this.label} dims`,
        size: Math.max(bytes.byteLength, 16),
        usage: GPUBufferUsage.UNIFORM,
        mappedAtCreation: true,
      });
      new Uint8Array(buffer.getMappedRange()).set(bytes);
      buffer.unmap();
      this.#dims.set(key, buffer);
    }
    return buffer;
  }
}

function encodeTransfer(encoder: GPUCommandEncoder, step: Exclude<Step, Dispatch>): void {
  if (step.kind === "clear") {
    encoder.clearBuffer(step.range.buffer, step.range.offset, step.range.size);
  } else if (step.kind === "copy to texture") {
    const { from, to, rows, columns } = step;
    encoder.copyBufferToTexture(
      { buffer: from.buffer, offset: from.offset, bytesPerRow: 4 * columns },
      { texture: to.texture },
      [columns / 4, rows],
    );
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
