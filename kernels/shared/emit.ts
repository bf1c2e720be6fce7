/** What emitters of unrolled WGSL share. */

/** The components of a vec4. */
export const XYZW = ["x", "y", "z", "w"] as const;
export const range = (count: number) => Array.from({ length: count }, (_, index) => index);
export const lines = (count: number, line: (index: number) => string) => range(count).map(line).join("\n");
