import type { Gpu } from "./device.ts";
import { Readback } from "./readback.ts";

/**
 * Subgroup built-ins, as far as a probe proves them. What adapters say is no guide: wgpu leaves the feature out of its
 * list where Vulkan lacks one of several operations, and grants it all the same when asked (llvmpipe, Deno 2.9).
 */
export interface Subgroups {
  /** Lanes of every subgroup. */
  size: number;
  /** What programs must begin with: naga knows no such line, Tint compiles nothing without it. */
  directives: string;
}

/** Tint cannot see that a loop's bounds are the same for all lanes where they come from a buffer; kernels take care. */
const DIRECTIVES = ["", "enable subgroups; diagnostic(off, subgroup_uniformity); "];

/** Subgroups of one fixed size whose broadcasts give the right answer; null where there are none. */
export async function probeSubgroups(
  gpu: Gpu,
  { subgroupMinSize: size, subgroupMaxSize }: GPUAdapterInfo,
): Promise<Subgroups | null> {
  if (!gpu.device.features.has("subgroups") || !size || size !== subgroupMaxSize) return null;
  for (const directives of DIRECTIVES) if (await broadcasts(gpu, directives, size)) return { size, directives };
  return null;
}

async function broadcasts(gpu: Gpu, directives: string, size: number): Promise<boolean> {
  const { device } = gpu;
  const code = `${directives}@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(${size}, 2)
fn main(@builtin(local_invocation_index) lane: u32) {
  out[lane] = 1000u * subgroupBroadcast(lane, 1u) + subgroupBroadcast(lane, ${size - 1}u);
}`;
  const readback = new Readback(gpu);
  const out = device.createBuffer({ size: 8 * size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  device.pushErrorScope("validation");
  try {
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
    });
    if (await device.popErrorScope()) return false;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: out } }],
      }),
    );
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const values = await readback.readU32({ buffer: out, offset: 0, size: 8 * size }); // sync point
    return values.every((value, lane) => {
      const first = lane < size ? 0 : size;
      return value === 1000 * (first + 1) + first + size - 1;
    });
  } finally {
    readback.free();
    out.destroy();
  }
}
