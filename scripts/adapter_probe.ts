/// <reference lib="deno.worker" />
/**
 * A Worker that asks for the WebGPU adapter and checks a known kernel's answer: an adapter alone proves nothing.
 * Each Worker has a wgpu instance of its own, so one started after a driver was installed finds that driver.
 */
import { pinBackend } from "../src/gpu/backend.ts";
import { type AdapterIdentity, Gpu, NoGpuError } from "../src/gpu/device.ts";

export type Probe =
  | { type: "answers"; adapter: AdapterIdentity }
  | { type: "none" }
  | { type: "wrong"; adapter: AdapterIdentity; message: string };

const COUNT = 64;
const SQUARES = /* wgsl */ `
  @group(0) @binding(0) var<storage, read_write> out: array<u32>;
  @compute @workgroup_size(${COUNT}) fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = id.x * id.x; }
`;

async function squares(device: GPUDevice): Promise<Uint32Array> {
  const size = 4 * COUNT;
  const out = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const back = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const module = device.createShaderModule({ code: SQUARES });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: out } }] }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(out, 0, back, 0, size);
  device.queue.submit([encoder.finish()]);
  // sync point
  await back.mapAsync(GPUMapMode.READ);
  return new Uint32Array(back.getMappedRange().slice(0));
}

async function probe(): Promise<Probe> {
  pinBackend();
  let gpu: Gpu;
  try {
    gpu = await Gpu.open(navigator.gpu);
  } catch (error) {
    if (error instanceof NoGpuError) return { type: "none" };
    throw error;
  }
  const adapter = gpu.identity;
  try {
    const answer = await squares(gpu.device);
    gpu.check();
    const wrong = answer.findIndex((value, i) => value !== i * i);
    if (wrong < 0) return { type: "answers", adapter };
    return { type: "wrong", adapter, message: `${wrong}² came out as ${answer[wrong]}` };
  } catch (error) {
    return { type: "wrong", adapter, message: error instanceof Error ? error.message : String(error) };
  } finally {
    gpu.close();
  }
}

self.postMessage(await probe());
