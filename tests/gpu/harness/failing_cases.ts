import process from "node:process";
import type { GpuCase } from "./gpu_case.ts";

/** Each way a case can fail: the harness must notice them all. */
export const cases: GpuCase[] = [
  {
    name: "throws",
    run() {
      throw new TypeError("thrown by the case");
    },
  },
  {
    name: "leaves a validation error behind",
    run(gpu) {
      gpu.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE });
    },
  },
  {
    name: "ends the process",
    run() {
      console.log("last words");
      process.exit(3);
    },
  },
  {
    name: "hangs",
    run() {
      return new Promise(() => {});
    },
  },
  {
    name: "needs what no adapter has",
    needs: "telepathy" as GPUFeatureName,
    run() {
      throw new Error("it was run all the same");
    },
  },
  { name: "passes", run() {} },
];
