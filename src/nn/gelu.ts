import { geluBackward } from "#kernels/gelu_backward.ts";
import { geluForward } from "#kernels/gelu_forward.ts";
import type { Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

/** y = GELU(x), tanh form; any shape. */
export function recordGeluForward(plan: Plan, { x, y }: { x: Tensor; y: Tensor }, elements: number): void {
  plan.record(geluForward, { x, y }, { elements });
}

/** dx comes in as dy and goes out as dy · GELU'(x). */
export function recordGeluBackward(plan: Plan, { x, dx }: { x: Tensor; dx: Tensor }, elements: number): void {
  plan.record(geluBackward, { x, dx }, { elements });
}
