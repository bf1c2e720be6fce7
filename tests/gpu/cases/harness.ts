import assert from "node:assert/strict";
import type { Gpu } from "#src/gpu/device.ts";
import type { GpuCase } from "../harness/gpu_case.ts";

const SQUARES = /* wgsl */ `
  @group(0) @binding(0) var<storage, read_write> out: array<u32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = id.x * id.x + 1u; }
`;

async function squares(gpu: Gpu): Promise<Uint32Array> {
  const { device } = gpu;
  const out = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const back = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const module = device.createShaderModule({ code: SQUARES });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = [{ binding: 0, resource: { buffer: out } }];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(out, 0, back, 0, 256);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(GPUMapMode.READ);
  const values = new Uint32Array(back.getMappedRange().slice(0));
  out.destroy();
  back.destroy();
  return values;
}

export const cases: GpuCase[] = [
  {
    name: "a kernel computes what it says",
    async run(gpu) {
      assert.deepEqual([...await squares(gpu)], Array.from({ length: 64 }, (_, i) => i * i + 1));
    },
  },
  {
    name: "lowered limits are Reverie's ceilings",
    limits: { maxStorageBufferBindingSize: 4096 },
    run(gpu) {
      assert.equal(gpu.limits.maxStorageBufferBindingSize, 4096);
    },
  },
];
