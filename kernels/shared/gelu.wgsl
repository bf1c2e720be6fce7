
// The tanh inside GELU. Past |15| it is 1 to the last bit of an f32, and some drivers' tanh overflows.
fn gelu_tanh(v: f32) -> f32 {
  return tanh(clamp(0.7978845608 * (v + 0.044715 * v * v * v), -15.0, 15.0));
}
