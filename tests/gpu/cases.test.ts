import { readdirSync } from "node:fs";
import { describe } from "bun:test";
import { describeOnEveryGpu } from "./harness/describe_on_every_gpu.ts";
import type { GpuCase } from "./harness/gpu_case.ts";

/** Every module in cases/ runs: one file an op, `core.ts` for what they stand on. The harness has a test of its own. */
const folder = new URL("./cases/", import.meta.url);
for (const file of readdirSync(folder).sort().filter((name) => name !== "harness.ts")) {
  const url = new URL(file, folder);
  const { cases } = await import(url.href) as { cases: GpuCase[] };
  describe(file.replace(".ts", ""), () => describeOnEveryGpu(url, cases));
}
