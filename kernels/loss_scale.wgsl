// Dynamic loss scaling: gradients in f16 are multiplied so that they do not vanish, by half as much after one that was
// not finite, by twice as much after `interval` in a row that were.
struct Dims {
  interval: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> norm: array<f32>;             // (2) norm, scale
@group(0) @binding(2) var<storage, read_write> loss_scale: array<f32>; // (2) scale, finite steps since it changed

const LARGEST = 0x1p+24f;

@compute @workgroup_size(1)
fn main() {
  if (!is_finite(norm[0])) {
    loss_scale[0] = max(loss_scale[0] * 0.5, 1.0);
    loss_scale[1] = 0.0;
  } else if (loss_scale[1] + 1.0 >= f32(dims.interval)) {
    loss_scale[0] = min(loss_scale[0] * 2.0, LARGEST);
    loss_scale[1] = 0.0;
  } else {
    loss_scale[1] += 1.0;
  }
}
