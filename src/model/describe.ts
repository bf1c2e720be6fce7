import type { ModelConfig } from "./config.ts";
// Filled in with the model: see `describe`.
export type { ModelConfig };
