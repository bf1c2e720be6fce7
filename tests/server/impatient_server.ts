/** The server, whose patience with its clients is counted in tenths of a second, for Deno. */

// Not by name: TypeScript would check the service with the tests' types, which are bun's.
const src = (path: string) => new URL(`../../src/${path}`, import.meta.url).href;
const { serve } = await import(src("serve.ts"));
const { openTrainerWorker } = await import(src("runs/trainer_worker.ts"));

await serve(() => openTrainerWorker(), {
  keepAliveMs: 1000,
  headMs: 500,
  bodyStallMs: 600,
  maxDiscardedBytes: 2 ** 20,
  lingerMs: 1500,
  lingerStallMs: 300,
  maxLingerBytes: 16 * 2 ** 20,
});
