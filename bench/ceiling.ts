import type { Gpu } from "../src/gpu/device.ts";
import { Readback } from "../src/gpu/readback.ts";

/**
 * What the adapter can do at most, measured with WGSL of its own: fused multiply-adds that depend on nothing but
 * themselves, and copies of memory. On a software adapter this is the ceiling of what its compiler makes of WGSL, which
 * may lie below the processor's.
 */

export interface Ceiling {
  /** The fastest of CHAINS, GFLOP/s. */
  gflops: number;
  /** Read and written, GB/s, the faster of a buffer copy and a kernel's. */
  gigabytesPerSecond: number;
  /** How they were reached. */
  gflopsWith: string;
  bandwidthWith: string;
}

/** Independent chains an invocation: a unit that takes 4 cycles and starts 2 a cycle needs 8; registers bound the rest. */
const CHAINS = [8, 12, 16];
const FMAS_UNROLLED = 32;
const WORKGROUP = 64;
const COPY_BYTES = 64 * 2 ** 20;
/** Work is repeated until it takes this long: a readback's ~11 ms then do not matter. */
const ENOUGH_MS = 150;

/** The best of `rounds`, candidates in turn: what else the machine does only ever lowers a ceiling. */
export async function measureCeiling(gpu: Gpu, rounds = 3): Promise<Ceiling> {
  const readback = new Readback(gpu);
  const buffer = (label: string, size: number) =>
    gpu.device.createBuffer({
      label,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  const bytes = Math.min(COPY_BYTES, gpu.limits.maxStorageBufferBindingSize);
  const [from, to] = [buffer("copy from", bytes), buffer("copy to", bytes)];
  try {
    const arithmetic = await Promise.all(CHAINS.map((chains) => fmaCandidate(gpu, to, chains)));
    const copies = [await copyKernelCandidate(gpu, from, to), copyCandidate(from, to)];
    const candidates = [...arithmetic, ...copies];
    const repeats: number[] = [];
    for (const { encode } of candidates) repeats.push(await enoughRepeats(encode));
    const rates = candidates.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { work, encode }] of candidates.entries()) {
        rates[i].push(work * repeats[i] / await run(encode, repeats[i]) / 1e6);
      }
    }
    const best = (part: Candidate[]) =>
      part.map(({ name }) => ({
        name,
        rate: Math.max(...rates[candidates.findIndex((candidate) => candidate.name === name)]),
      }))
        .reduce((a, b) => a.rate >= b.rate ? a : b);
    const [flops, bandwidth] = [best(arithmetic), best(copies)];
    return {
      gflops: flops.rate,
      gflopsWith: flops.name,
      gigabytesPerSecond: bandwidth.rate,
      bandwidthWith: bandwidth.name,
    };
  } finally {
    readback.free();
    from.destroy();
    to.destroy();
  }

  /** Doubles until long enough; the first run compiles and touches the memory. */
  async function enoughRepeats(encode: Encode): Promise<number> {
    await run(encode, 1);
    for (let repeats = 1;; repeats *= 2) {
      if (await run(encode, repeats) >= ENOUGH_MS) return repeats;
    }
  }

  /** Milliseconds of one submit. */
  async function run(encode: Encode, repeats: number): Promise<number> {
    const start = performance.now();
    const encoder = gpu.device.createCommandEncoder({ label: "ceiling" });
    for (let i = 0; i < repeats; i++) encode(encoder);
    gpu.device.queue.submit([encoder.finish()]);
    await readback.read({ buffer: to, offset: 0, size: 4 }); // sync point
    return performance.now() - start;
  }
}

type Encode = (encoder: GPUCommandEncoder) => void;
interface Candidate {
  name: string;
  /** FLOP or bytes of one `encode`. */
  work: number;
  encode: Encode;
}

async function fmaCandidate(gpu: Gpu, output: GPUBuffer, chains: number): Promise<Candidate> {
  const groups = gpu.identity.software ? 64 : 4096;
  const iterations = gpu.identity.software ? 256 : 64;
  const encode = await dispatch(gpu, `fma, ${chains} chains`, fmaSource(chains, iterations), [output], groups);
  const work = 2 * chains * FMAS_UNROLLED * iterations * groups * WORKGROUP;
  return { name: `${chains} chains of fma()`, work, encode };
}

/** Chains are named variables: loops over private arrays are not kept in registers everywhere. */
export function fmaSource(chains: number, iterations: number): string {
  const each = (text: (i: number) => string) => Array.from({ length: chains }, (_, i) => text(i));
  const round = each((i) => `c${i} = fma(c${i}, x, y);`).join(" ");
  return `@group(0) @binding(0) var<storage, read_write> output: array<f32>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Not known to the compiler, and the chains converge to 1: neither folded nor ever denormal.
  let x = f32(id.x & 1u) * 0.25 + 0.5;
  let y = 1.0 - x;
  ${each((i) => `var c${i} = f32(id.x) + ${i}.5;`).join("\n  ")}
  for (var i = 0u; i < ${iterations}u; i++) {
    ${Array.from({ length: FMAS_UNROLLED }, () => round).join("\n    ")}
  }
  output[id.x] = ${each((i) => `c${i}`).join(" + ")};
}
`;
}

async function copyKernelCandidate(gpu: Gpu, from: GPUBuffer, to: GPUBuffer): Promise<Candidate> {
  const vectors = from.size / 16;
  const groups = Math.ceil(vectors / WORKGROUP / 64);
  const source = `@group(0) @binding(0) var<storage, read_write> to: array<vec4f>;
@group(0) @binding(1) var<storage, read> source: array<vec4f>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < ${vectors}u; i += ${groups * WORKGROUP}u) { to[i] = source[i]; }
}
`;
  return { name: "a kernel", work: 2 * from.size, encode: await dispatch(gpu, "copy", source, [to, from], groups) };
}

function copyCandidate(from: GPUBuffer, to: GPUBuffer): Candidate {
  const encode: Encode = (encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
  return { name: "copyBufferToBuffer", work: 2 * from.size, encode };
}

async function dispatch(gpu: Gpu, label: string, code: string, buffers: GPUBuffer[], groups: number): Promise<Encode> {
  const { device } = gpu;
  const [pipeline, bindGroup] = await gpu.guard(label, () => {
    const module = device.createShaderModule({ label, code });
    const pipeline = device.createComputePipeline({ label, layout: "auto", compute: { module, entryPoint: "main" } });
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return [pipeline, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })] as const;
  });
  return (encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(groups);
    pass.end();
  };
}
