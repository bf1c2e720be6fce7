import { afterAll, describe, test } from "bun:test";
import { basename } from "node:path";
import { noteNotRun } from "../../support/not_run.ts";
import type { GpuCase } from "./gpu_case.ts";
import { GpuHost, IMPLEMENTATIONS } from "./gpu_host.ts";

export interface GpuSuiteOptions {
  /** For one case, compilation included: a large kernel takes LLVM most of a second on a software adapter. */
  timeoutMs?: number;
}

/**
 * Registers each case once for each WebGPU implementation: Deno's (wgpu, naga) and Dawn (Tint). An implementation that
 * does not start fails its tests. A case that needs what the adapter lacks is noted as not run.
 * @param caseModule the module that exports `cases`, for the processes that run them:
 *   `new URL("./cases/linear.ts", import.meta.url)`
 */
export function describeOnEveryGpu(caseModule: URL, cases: readonly GpuCase[], options: GpuSuiteOptions = {}): void {
  const timeoutMs = options.timeoutMs ?? 120_000;
  for (const implementation of IMPLEMENTATIONS) {
    describe(implementation, () => {
      const host = new GpuHost(implementation, caseModule);
      afterAll(() => host.close());
      for (const { name } of cases) {
        // The host's own deadline comes first: it names what hung and shows the process's stderr.
        test(name, async () => {
          const { lacks } = await host.run(name, timeoutMs);
          const file = basename(caseModule.pathname, ".ts");
          if (lacks !== null) noteNotRun(`${file} > ${implementation} > ${name} (no ${lacks})`);
        }, 2 * timeoutMs + 10_000);
      }
    });
  }
}
