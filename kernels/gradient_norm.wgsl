// Second stage of the gradient norm: norm = sqrt(sum of partials) without the loss scale that gradients came with, and
// what to multiply them by: clipping, and the scale taken away.
struct Dims {
  partials: u32,
  clip: f32, // the largest norm to let pass; 0: any
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> loss_scale: array<f32>; // (2) scale, and what `loss_scale.wgsl` keeps
@group(0) @binding(3) var<storage, read_write> norm: array<f32>; // (2) norm, scale

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < dims.partials; i += WORKGROUP) { sum += partials[i]; }
  sum = workgroup_sum(lane, sum);
  if (lane == 0u) {
    let length = sqrt(sum) / loss_scale[0];
    norm[0] = length;
    // As torch.nn.utils.clip_grad_norm_: 1e-6 keeps the quotient finite.
    norm[1] = select(1.0, min(1.0, dims.clip / (length + 1e-6)), dims.clip > 0.0) / loss_scale[0];
  }
}
