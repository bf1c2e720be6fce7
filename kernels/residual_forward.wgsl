// y = x + dropout(branch).
struct Dims {
  elements: u32,
  channels: u32,
  site: u32,     // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;       // (N, C)
@group(0) @binding(3) var<storage, read> branch: array<f32>;  // (N, C)
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // (N, C)

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= dims.elements) { return; }
  let factor = dropout_factor(dims.dropout, step.seed, dims.site, index / dims.channels, index % dims.channels);
  y[index] = x[index] + branch[index] * factor;
}
