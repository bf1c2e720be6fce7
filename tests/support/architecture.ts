import type { Module } from "./imports.ts";

/** The dependency directions of the code, as data, and the check that holds them. */

/** Plain data both halves may read. What these import in turn is held by the closure rule below. */
const SEAM = ["src/train/config.ts", "src/train/protocol.ts", "src/model/config.ts", "src/model/describe.ts"];
const FOUNDATION = [
  "src/errors.ts",
  "src/log.ts",
  "src/env.ts",
  "src/request_context.ts",
  "src/pulled_body.ts",
  "src/turns.ts",
  "src/network_address.ts",
];

/** What each layer may import besides itself: folders and files. serve.ts, the composition root, knows everything. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  "src/gpu": [],
  "kernels": ["src/gpu"],
  "src/nn": ["kernels", "src/gpu"],
  "src/model": ["src/nn", "kernels", "src/gpu"],
  "src/data": [...SEAM, "src/turns.ts"],
  "src/infer": [...SEAM, "src/model", "src/nn", "kernels", "src/gpu", "src/data"],
  "src/export": [...SEAM, "src/model", "src/gpu", "src/data"],
  "src/train": ["src/infer", "src/export", "src/model", "src/nn", "kernels", "src/gpu", "src/data", "src/turns.ts"],

  "src/errors.ts": [...SEAM],
  "src/log.ts": ["src/env.ts", "src/request_context.ts"],
  "src/request_context.ts": [],
  "src/env.ts": [],
  "src/pulled_body.ts": [],
  "src/turns.ts": [],
  "src/network_address.ts": [],
  "src/http": ["src/network_address.ts"],
  "src/http_server.ts": ["src/http", "src/pulled_body.ts"],
  "src/db": [...SEAM, ...FOUNDATION],
  "src/runs": [...SEAM, ...FOUNDATION, "src/db", "src/data"],
  "routes": [...SEAM, ...FOUNDATION, "src/runs", "src/db", "src/data"],
  "src/app.ts": [...SEAM, ...FOUNDATION, "routes", "src/runs", "src/db", "src/data"],
  // Clients of the HTTP API.
  "src/web": [],
  "src/cli": [...SEAM, ...FOUNDATION],
  "src/serve.ts": ["src", "routes"],
  "src/deno_version.ts": [],
  "src/main.ts": ["src/deno_version.ts", "src/serve.ts", "src/runs"],
};

const GPU_HALF = ["src/gpu", "kernels", "src/nn", "src/model", "src/infer", "src/export", "src/train"];
const SERVICE_HALF = ["routes", "src/runs", "src/db", "src/app.ts", "src/web", "src/cli"];
const SERVICE_PACKAGES = /^(hono|@hono\/|drizzle-|better-sqlite3|standardwebhooks)/;
const DEVICE_CALLS = ["requestAdapter", "requestDevice", "createBuffer", "createShaderModule", "createCommandEncoder"];
/** Waiting for the GPU blocks its thread, so one file does it. */
const SYNC_POINTS = ["mapAsync", "onSubmittedWorkDone"];
const READBACK = "src/gpu/readback.ts";
/** The one place where the service half names a file of the other: the Worker that it starts. */
const WORKER_ENTRY = { from: "src/runs/trainer_worker.ts", to: "src/train/worker.ts" };

/** @returns each broken rule as `file: what is wrong`; empty when the directions hold */
export function violations(modules: readonly Module[]): string[] {
  return [...modules.flatMap(brokenBy), ...brokenByClosure(modules)];
}

function brokenBy({ path, references, properties }: Module): string[] {
  const broken: string[] = [];
  const layer = layerOf(path);
  if (layer === undefined) return [`${path}: belongs to no layer`];
  for (const { target, kind } of references) {
    if (!isOurs(target)) {
      if (within(path, GPU_HALF) && SERVICE_PACKAGES.test(target)) {
        broken.push(`${path}: the GPU half imports ${target}`);
      }
      continue;
    }
    if (kind === "url" && path === WORKER_ENTRY.from && target === WORKER_ENTRY.to) continue;
    if (!within(target, [layer, ...MAY_IMPORT[layer]])) broken.push(`${path}: ${layer} must not import ${target}`);
  }
  for (const name of SYNC_POINTS) {
    if (properties.has(name) && path !== READBACK) broken.push(`${path}: ${name} belongs in ${READBACK}`);
  }
  return broken;
}

/** Through the seam the service half loads arithmetic of the GPU half's; it must not load a kernel or the device. */
function brokenByClosure(modules: readonly Module[]): string[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const seen = new Set<string>();
  const broken: string[] = [];
  const visit = (path: string, from: string) => {
    const module = byPath.get(path);
    if (seen.has(path) || !module) return;
    seen.add(path);
    if (usesDevice(module)) return void broken.push(`${from}: loads ${path}, GPU code, into the service half`);
    for (const { kind, target } of module.references) if (kind === "import") visit(target, path);
  };
  for (const { path } of modules) if (within(path, SERVICE_HALF)) visit(path, path);
  return broken;
}

function usesDevice({ references, properties }: Module): boolean {
  return references.some(({ target }) => target.endsWith(".wgsl")) || DEVICE_CALLS.some((name) => properties.has(name));
}

function layerOf(path: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((layer) => within(path, [layer]));
}

function within(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}

/** Code, not packages, assets or `node:` modules. */
function isOurs(target: string): boolean {
  return /^(src|routes|kernels|tests|bench|scripts)\/.*\.(ts|js)$/.test(target);
}
