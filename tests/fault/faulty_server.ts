/** A server for Deno whose trainer has the faults of its data folder's plan. */

// Not by name: TypeScript would check the service with the tests' types, which are bun's.
const src = (path: string) => new URL(`../../src/${path}`, import.meta.url).href;
const { serve } = await import(src("serve.ts"));
const { openTrainerWorker } = await import(src("runs/trainer_worker.ts"));

await serve(() => openTrainerWorker(new URL("./faulty_worker.ts", import.meta.url)));
