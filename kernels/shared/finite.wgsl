
// By its bits: compilers may assume that arithmetic never meets an infinity or a NaN.
fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}
