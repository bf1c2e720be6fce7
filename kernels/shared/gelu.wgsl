
// GELU in its tanh form, 0.5 x (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3), as x · sigmoid(2u): the same function
// for one exponential where tanh takes two.
fn gelu_sigmoid(v: vec4<f32>) -> vec4<f32> {
  // Past 80 the sigmoid is 0 to the last bit of an f32, and the exponential must not overflow.
  return 1.0 / (1.0 + exp(min(-1.5957691216 * (v + 0.044715 * v * v * v), vec4(80.0))));
}

fn gelu(v: vec4<f32>) -> vec4<f32> {
  return v * gelu_sigmoid(v);
}

// Past |20| it is 0 or 1 to the last bit, where its terms would be powers of v times nearly nothing.
fn gelu_slope(x: vec4<f32>) -> vec4<f32> {
  let v = clamp(x, vec4(-20.0), vec4(20.0));
  let s = gelu_sigmoid(v);
  return s + v * s * (1.0 - s) * (1.5957691216 * (1.0 + 0.134145 * v * v)); // 3 * 0.044715
}
