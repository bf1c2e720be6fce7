import { describe, expect, test } from "bun:test";
import { violations } from "../support/architecture.ts";
import { parseModule } from "../support/imports.ts";
import { ROOT } from "../support/deno.ts";
import { readSource, sourceFiles, trackedFiles } from "../support/source_files.ts";

test("the dependency directions hold", () => {
  const paths = sourceFiles(["src", "routes", "kernels"]).filter((path) => /(?<!\.d)\.(ts|js)$/.test(path));
  const modules = paths.map((path) => parseModule(path, readSource(path)));
  expect(modules.length).toBeGreaterThan(0);
  expect(violations(modules)).toEqual([]);
});

describe("the check sees", () => {
  const check = (files: Record<string, string>) =>
    violations(Object.entries(files).map(([path, source]) => parseModule(path, source)));

  test.each([
    ["a layer looking up", "src/runs/a.ts", 'import { app } from "../app.ts"', "must not import src/app.ts"],
    ["anything below app naming routes", "src/db/a.ts", 'export * from "#routes/runs.ts"', "routes/runs.ts"],
    ["the GPU half naming the database", "src/train/a.ts", 'import "../db/schema.ts"', "src/db/schema.ts"],
    [
      "a type crossing the halves",
      "routes/a.ts",
      'import type { T } from "#src/train/trainer.ts"',
      "src/train/trainer.ts",
    ],
    ["an inline type import", "src/gpu/a.ts", 'let m: import("../model/gpt2.ts").M;', "src/model/gpt2.ts"],
    ["a dynamic import", "src/runs/a.ts", 'await import("../gpu/device.ts")', "src/gpu/device.ts"],
    ["a worker's file", "routes/a.ts", 'new Worker(new URL("../src/train/worker.ts", import.meta.url))', "worker.ts"],
    ["a resolved file", "src/nn/a.ts", 'import.meta.resolve("../model/gpt2.ts")', "src/model/gpt2.ts"],
    ["gpu knowing a kernel", "src/gpu/a.ts", 'import "#kernels/matmul.ts"', "kernels/matmul.ts"],
    ["code depending on tests", "src/data/a.ts", 'import "../../tests/reference/matmul.ts"', "tests/reference"],
    ["HTTP in the GPU half", "src/train/a.ts", 'import { Hono } from "hono"', "the GPU half imports hono"],
    ["SQL in the GPU half", "src/export/a.ts", 'import { eq } from "drizzle-orm"', "imports drizzle-orm"],
    ["a wait for the GPU", "src/train/a.ts", "await buffer.mapAsync(1)", "mapAsync belongs in"],
    ["another wait for the GPU", "src/gpu/plan.ts", "await queue.onSubmittedWorkDone()", "onSubmittedWorkDone belongs"],
    ["a file in no layer", "src/misc/a.ts", "", "belongs to no layer"],
  ])("%s", (_, path, source, message) => {
    expect(check({ [path]: source }).join("\n")).toContain(message);
  });

  test("a kernel or the device loaded through a module of the seam", () => {
    const found = check({
      "src/runs/a.ts": 'import { describe } from "../model/describe.ts"',
      "src/model/describe.ts": 'import { table } from "./parameters.ts"; import { align } from "../gpu/memory.ts"',
      "src/model/parameters.ts": 'import "#kernels/matmul.ts"; import type { Gpu } from "../gpu/device.ts"',
      "src/gpu/memory.ts": "export const align = 256; device.createBuffer({})",
      "src/gpu/device.ts": "gpu.requestAdapter()",
      "kernels/matmul.ts": 'import source from "./matmul.wgsl" with { type: "text" }',
    });
    expect(found).toEqual([
      "src/model/parameters.ts: loads kernels/matmul.ts, GPU code, into the service half",
      "src/model/describe.ts: loads src/gpu/memory.ts, GPU code, into the service half",
    ]);
  });

  test("no fault in what is allowed", () => {
    const found = check({
      "src/serve.ts": 'import "./app.ts"; import "./runs/runner.ts"; import "../routes/runs.ts";',
      "src/app.ts": 'import { runs } from "#routes/runs.ts"; import { Hono } from "hono"',
      "routes/runs.ts": 'import type { RunConfig } from "#src/train/config.ts"; import "../src/runs/runner.ts"',
      "src/runs/trainer_worker.ts": 'new Worker(new URL("../train/worker.ts", import.meta.url))',
      "src/db/client.ts": 'new URL("../../migrations", import.meta.url)',
      "src/train/worker.ts": 'import "../model/gpt2.ts"; import "#kernels/adamw.ts"; import "node:fs"',
      "kernels/adamw.ts": 'import source from "./adamw.wgsl" with { type: "text" }; import "#src/gpu/kernel.ts"',
      "src/gpu/readback.ts": "await buffer.mapAsync(1)",
    });
    expect(found).toEqual([]);
  });
});

test("no file names this machine or a package registry's host", () => {
  const home = /\/(?:home|Users)\/[a-z]|(?<![\w.])\/root\//;
  const registry = /\bregistry\.[a-z0-9-]+\.[a-z]{2,}|"tarball"\s*:/;
  // A checkout at the top of the file system has a name too short to look for.
  const checkout = ROOT.split("/").length > 3 ? ROOT : null;
  const found = trackedFiles().filter((path) => {
    const text = readSource(path);
    return home.test(text) || registry.test(text) || (checkout !== null && text.includes(checkout));
  });
  expect(found).toEqual([]);
});
