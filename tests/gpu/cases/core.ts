import assert from "node:assert/strict";
import { Gpu } from "#src/gpu/device.ts";
import { defineKernel } from "#src/gpu/kernel.ts";
import { Memory, rows } from "#src/gpu/memory.ts";
import { Readback } from "#src/gpu/readback.ts";
import { BINDING_ALIGNMENT } from "#src/gpu/sizes.ts";
import { Plan } from "#src/gpu/plan.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { Workbench } from "../workbench.ts";

const WORKGROUP = 4;

/** out[i] += scale · i, one element an invocation: enough to see dims, constants, folding and order. */
const ramp = defineKernel({
  name: "ramp",
  source: /* wgsl */ `
    struct Dims { count: u32, scale: f32 }
    @group(0) @binding(0) var<uniform> dims: Dims;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(WORKGROUP)
    fn main(
      @builtin(workgroup_id) group: vec3u,
      @builtin(num_workgroups) groups: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let i = (group.y * groups.x + group.x) * WORKGROUP + lane;
      if (i < dims.count) { out[i] += dims.scale * f32(i); }
    }`,
  bindings: { out: "read_write" },
  dims: { count: "u32", scale: "f32" },
  variants: [{
    name: "only",
    constants: () => ({ WORKGROUP }),
    workgroups: ({ count }) => Math.ceil(count / WORKGROUP),
  }],
  cost: ({ count }) => ({ flops: 2 * count, bytes: 8 * count }),
});

const rampOf = (count: number, scale: number) => Float64Array.from({ length: count }, (_, i) => scale * i);

export const cases: GpuCase[] = [
  {
    name: "workgroups past the limit of one dimension fold into the next",
    limits: { maxComputeWorkgroupsPerDimension: 7 },
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        for (const count of [1, 28, 29, 113]) {
          const out = bench.tensor(`ramp of ${count}`, [count], new Float64Array(count));
          bench.plan.record(ramp, { out }, { count, scale: 1 });
          bench.run();
          bench.plan.free();
          await bench.expect(out, rampOf(count, 1), 0);
        }
      }),
  },
  {
    name: "a plan keeps its order and can be encoded again and again",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const count = 65;
        const [a, b] = [bench.output("a", [count]), bench.output("b", [count])];
        bench.plan.clear(a);
        bench.plan.record(ramp, { out: a }, { count, scale: 2 });
        bench.plan.copy(a, b);
        bench.plan.record(ramp, { out: a }, { count, scale: 0.5 });
        assert.deepEqual(bench.plan.dispatches.map(({ label }) => label), ["ramp", "ramp"]);
        for (const times of [1, 3]) {
          bench.run(times);
          await bench.expect(a, rampOf(count, 2.5), 0);
          await bench.expect(b, rampOf(count, 2), 0);
        }
      }),
  },
  {
    name: "a binding over the device's cap is refused when it is recorded",
    limits: { maxStorageBufferBindingSize: 1024 },
    run: (gpu) =>
      Workbench.use(gpu, (bench) => {
        const fits = bench.output("fits", [256]);
        bench.plan.record(ramp, { out: fits }, { count: 256, scale: 1 });
        const tooLarge = bench.output("too large", [257]);
        assert.throws(
          () => bench.plan.record(ramp, { out: tooLarge }, { count: 257, scale: 1 }),
          /ramp: out is 1028 bytes, a binding at most 1024/,
        );
      }),
  },
  {
    name: "a device that is gone says so, whatever failed on it first",
    run: async ({ implementation }) => {
      const gpu = await Gpu.open(implementation);
      assert.equal(await gpu.isLost(0), false);
      const tensor = new Memory(gpu).tensor("activations", "tensor", [64]);
      gpu.device.destroy();
      await assert.rejects(new Readback(gpu).read(tensor));
      assert.equal(await gpu.isLost(), true);
    },
  },
  {
    name: "rows of a tensor are a tensor in the same buffer",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const table = bench.tensor("table", [4, 64], new Float64Array(256));
        bench.plan.record(ramp, { out: rows(table, 2, 1) }, { count: 64, scale: 1 });
        bench.run();
        const expected = new Float64Array(256);
        expected.set(rampOf(64, 1), 128);
        await bench.expect(table, expected, 0);
        const narrow = bench.output("narrow", [4, 3]);
        assert.throws(() => rows(narrow, 1, 1), new RegExp(`not a multiple of ${BINDING_ALIGNMENT}`));
      }),
  },
  {
    name: "memory starts at zero, is counted by role, and counts nothing once freed",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const tensor = bench.memory.tensor("gradients", "gradients", [65, 5]);
        await bench.expect(tensor, new Float64Array(325), 0);
        assert.deepEqual(bench.memory.bytes, { parameters: 0, gradients: 1536, optimizer: 0, activations: 0 });
        const other = new Memory(gpu);
        other.tensor("optimizer", "moment", [1]);
        assert.equal(other.bytes.optimizer, BINDING_ALIGNMENT);
        other.free();
        assert.deepEqual(other.bytes, { parameters: 0, gradients: 0, optimizer: 0, activations: 0 });
      }),
  },
  {
    name: "guard throws what set-up work did wrong, and a late error fails the next check",
    run: async (gpu) => {
      await assert.rejects(
        gpu.guard("an impossible buffer", () => {
          gpu.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE });
        }),
        /an impossible buffer/,
      );
      const broken = defineKernel({ ...ramp, source: ramp.source.replace("f32(i)", "f32(nothing)") });
      await assert.rejects(
        gpu.guard("a broken kernel", () => {
          const memory = new Memory(gpu);
          new Plan(gpu, "broken").record(broken, { out: memory.tensor("activations", "out", [4]) }, {
            count: 4,
            scale: 1,
          });
          memory.free();
        }),
        /a broken kernel[^]*nothing/,
      );
      assert.equal(await gpu.guard("nothing wrong", () => 5), 5);
    },
  },
];
