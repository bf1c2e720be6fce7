// First stage of the gradient norm: each workgroup sums the squares of its own run of elements.
struct Dims {
  vectors: u32,
  first_partial: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  let start = index * VECTORS;
  if (start >= dims.vectors) { return; }
  let end = min(start + VECTORS, dims.vectors);
  var sum = 0.0;
  for (var i = start + lane; i < end; i += WORKGROUP) { sum += dot(x[i], x[i]); }
  sum = workgroup_sum(lane, sum);
  if (lane == 0u) { partials[dims.first_partial + index] = sum; }
}
