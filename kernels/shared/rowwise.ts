import type { Variant } from "#src/gpu/kernel.ts";

/**
 * Variants of a kernel that gives each row a workgroup. A software adapter runs 8 lanes at a time, where a workgroup of
 * 8 makes barriers free; cards want their 32 or 64 lanes filled.
 */
export function rowwiseVariants(): readonly Variant<"rows">[] {
  return [
    {
      name: "8 lanes a row",
      when: (_dims, { software }) => software,
      constants: () => ({ WORKGROUP: 8 }),
      workgroups: ({ rows }) => rows,
    },
    { name: "64 lanes a row", constants: () => ({ WORKGROUP: 64 }), workgroups: ({ rows }) => rows },
  ];
}
