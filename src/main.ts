import { openTrainerWorker } from "./runs/trainer_worker.ts";
import { serve } from "./serve.ts";

await serve(() => openTrainerWorker());
