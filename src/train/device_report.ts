import { type Gpu, GpuError } from "../gpu/device.ts";
import { type Matrix, matrixIn } from "../gpu/matrix.ts";
import { type BufferRange, Memory, type Tensor } from "../gpu/memory.ts";
import { Plan } from "../gpu/plan.ts";
import { Readback } from "../gpu/readback.ts";
import { timeRepeated } from "../gpu/timing.ts";
import { copyMatrix } from "#kernels/elementwise.ts";
import { matmulNN } from "#kernels/matmul.ts";
import { hostMemory, memoryForRuns } from "./host_memory.ts";
import type { DeviceInfo } from "./protocol.ts";

/** Side of the square matrices that are multiplied. */
const SIZE = 512;
const COPY_BYTES = 64 * 2 ** 20;
/** Work is repeated until it takes this long, so that a readback's ~11 ms do not matter. */
const ENOUGH_MS = 100;

/**
 * Says what an adapter is and measures it with Reverie's own matmul, whose answer is checked: an adapter that is there
 * proves nothing (one seen computed zeros in silence).
 * @throws GpuError when the answer is wrong
 */
export async function reportDevice(gpu: Gpu): Promise<DeviceInfo> {
  const { name, vendor, architecture, driver, software } = gpu.identity;
  return {
    name,
    vendor,
    architecture,
    driver,
    software,
    features: [...gpu.device.features].sort(),
    limits: { ...gpu.limits },
    memoryBytes: software ? memoryForRuns(hostMemory()) : null,
    measured: await measure(gpu),
  };
}

async function measure(gpu: Gpu): Promise<DeviceInfo["measured"]> {
  return { gflops: await measureGflops(gpu), gigabytesPerSecond: await measureCopy(gpu) };
}

/** @throws GpuError if the answer is wrong */
export async function measureGflops(gpu: Gpu): Promise<number> {
  const memory = new Memory(gpu);
  const readback = new Readback(gpu);
  const copies = new Plan(gpu, "operands");
  const plan = new Plan(gpu, "measure");
  try {
    const [a, b, c] = ["a", "b", "c"].map((name) => memory.tensor("activations", name, [SIZE, SIZE]));
    // Small integers: the product is exact in f32, whatever the order of addition.
    fill(gpu, a, (index) => index % 3);
    fill(gpu, b, (index) => index % 5);
    const whole = (tensor: Tensor) => matrixIn(tensor.name, tensor, SIZE, SIZE);
    // As training has them: software adapters read operands from textures.
    const operand = (tensor: Tensor): Matrix => {
      if (!gpu.identity.software) return whole(tensor);
      const texture = memory.matrix("activations", tensor.name, [SIZE, SIZE], { kind: "texture", element: "f32" });
      copies.record(copyMatrix, { x: whole(tensor), y: texture }, { rows: SIZE, columns: SIZE });
      return texture;
    };
    await gpu.guard("measuring matmul", () => {
      const dims = { m: SIZE, n: SIZE, k: SIZE, site: 0, dropout: 0 };
      plan.record(matmulNN, { a: operand(a), b: operand(b), c: whole(c) }, dims);
    });
    copies.submit();
    const multiply = (times: number) => run(gpu, readback, c, times, (encoder) => plan.encode(encoder));
    await multiply(1); // compiles
    checkProduct(await readback.readF32(c));
    return 2 * SIZE ** 3 / await timeRepeated(multiply, ENOUGH_MS) / 1e6;
  } finally {
    copies.free();
    plan.free();
    readback.free();
    memory.free();
  }
}

async function measureCopy(gpu: Gpu): Promise<number> {
  const memory = new Memory(gpu);
  const readback = new Readback(gpu);
  try {
    const from = memory.buffer("activations", "copy from", COPY_BYTES);
    const to = memory.buffer("activations", "copy to", COPY_BYTES);
    const sync = { buffer: to, offset: 0, size: COPY_BYTES };
    const copy = (times: number) =>
      run(gpu, readback, sync, times, (encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES));
    await copy(1); // the system gives memory only once it is touched
    return 2 * COPY_BYTES / await timeRepeated(copy, ENOUGH_MS) / 1e6;
  } finally {
    readback.free();
    memory.free();
  }
}

function fill(gpu: Gpu, tensor: Tensor, value: (index: number) => number): void {
  gpu.device.queue.writeBuffer(
    tensor.buffer,
    tensor.offset,
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => value(i)),
  );
}

function checkProduct(product: Float32Array): void {
  for (const index of [0, SIZE + 1, SIZE * SIZE - 1]) {
    const [row, column] = [Math.floor(index / SIZE), index % SIZE];
    let expected = 0;
    for (let k = 0; k < SIZE; k++) expected += ((row * SIZE + k) % 3) * ((k * SIZE + column) % 5);
    if (product[index] !== expected) {
      throw new GpuError(`the adapter multiplies wrongly: element ${index} is ${product[index]}, not ${expected}`);
    }
  }
}

type Encode = (encoder: GPUCommandEncoder) => void;

async function run(gpu: Gpu, readback: Readback, sync: BufferRange, times: number, encode: Encode): Promise<number> {
  const start = performance.now();
  const encoder = gpu.device.createCommandEncoder({ label: "measure" });
  for (let i = 0; i < times; i++) encode(encoder);
  gpu.device.queue.submit([encoder.finish()]);
  await readback.read({ ...sync, size: 4 }); // sync point
  return performance.now() - start;
}
