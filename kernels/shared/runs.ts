import type { Variant } from "#src/gpu/kernel.ts";

/**
 * Variants of a kernel that updates a run of vec4s, each by itself: a workgroup has RUN of them, its WORKGROUP lanes
 * stride over those. On llvmpipe AdamW of 202,000 vec4s takes 5.3 ms with 64 lanes and a vec4 each, 4.0 with 8 lanes and
 * 64 each, 13 with 64 lanes and 32 each (CPU time of both cores).
 */
export function runVariants(): readonly Variant<"vectors">[] {
  const variant = (name: string, lanes: number, run: number, when?: Variant<"vectors">["when"]) => ({
    name,
    when,
    constants: () => ({ WORKGROUP: lanes, RUN: run }),
    workgroups: ({ vectors }: Record<"vectors", number>) => Math.ceil(vectors / run),
  });
  return [
    variant("8 lanes, 64 vec4s each", 8, 512, (_dims, { software }) => software),
    variant("64 lanes, a vec4 each", 64, 64),
  ];
}
