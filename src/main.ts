import { refuseOldDeno } from "./deno_version.ts";

refuseOldDeno(); // before what an older one cannot load
const { openTrainerWorker } = await import("./runs/trainer_worker.ts");
const { serve } = await import("./serve.ts");
await serve(() => openTrainerWorker());
