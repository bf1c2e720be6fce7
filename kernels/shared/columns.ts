import type { Variant } from "#src/gpu/kernel.ts";

const ALONE = `
fn sum_of_strides(lane: u32, value: vec4<f32>) -> vec4<f32> { return value; }
`;
/** The first lane of each column adds what the others hold, in order. */
const TOGETHER = `
var<workgroup> partial: array<vec4<f32>, LANES * STRIDES>;
fn sum_of_strides(lane: u32, value: vec4<f32>) -> vec4<f32> {
  partial[lane] = value;
  workgroupBarrier();
  var sum = value;
  if (lane < LANES) { for (var i = 1u; i < STRIDES; i++) { sum += partial[i * LANES + lane]; } }
  workgroupBarrier();
  return sum;
}
`;

/**
 * Variants of a kernel that sums the rows of a matrix: a workgroup has LANES vec4s of columns and STRIDES lanes for
 * each, which take turns at the rows and are added in order.
 */
export function columnVariants(): readonly Variant<"channels">[] {
  const variant = (name: string, lanes: number, strides: number, when?: Variant<"channels">["when"]) => ({
    name,
    when,
    body: () => strides === 1 ? ALONE : TOGETHER,
    constants: () => ({ LANES: lanes, STRIDES: strides }),
    workgroups: ({ channels }: Record<"channels", number>) => Math.ceil(channels / (4 * lanes)),
  });
  return [
    variant("8 vec4s", 8, 1, (_dims, { software }) => software),
    // Two sectors of a card's memory a row; 768 channels make 48 workgroups.
    variant("4 vec4s by 64 strides", 4, 64),
  ];
}
