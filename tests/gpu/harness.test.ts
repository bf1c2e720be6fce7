import { describe, expect, test } from "bun:test";
import { cases } from "./cases/harness.ts";
import { describeOnEveryGpu } from "./harness/describe_on_every_gpu.ts";
import { GpuHost, IMPLEMENTATIONS } from "./harness/gpu_host.ts";

describeOnEveryGpu(new URL("./cases/harness.ts", import.meta.url), cases);

describe.each([...IMPLEMENTATIONS])("failures on %s are seen", (implementation) => {
  test("and each costs its own case only", async () => {
    const host = new GpuHost(implementation, new URL("./harness/failing_cases.ts", import.meta.url));
    const runCase = (name: string, timeoutMs = 30_000) => host.run(name, timeoutMs);
    try {
      expect(await runCase("passes")).toEqual({ lacks: null });
      expect(await runCase("needs what no adapter has")).toEqual({ lacks: "telepathy" });
      await expect(runCase("throws")).rejects.toThrow("thrown by the case");
      await expect(runCase("leaves a validation error behind")).rejects.toThrow("GpuError");
      await expect(runCase("ends the process")).rejects.toThrow(/exited with 3\n[^]*last words/);
      await expect(runCase("hangs", 1000)).rejects.toThrow('it did not finish "hangs" in 1000 ms');
      await expect(runCase("no such name")).rejects.toThrow("no case");
      await runCase("passes");
    } finally {
      await host.close();
    }
  }, 60_000);

  test("a module that cannot be loaded is named", async () => {
    const host = new GpuHost(implementation, new URL("./harness/missing.ts", import.meta.url));
    await expect(host.run("any", 30_000)).rejects.toThrow("missing.ts");
  }, 60_000);
});
