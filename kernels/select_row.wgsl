// y = the row of x that holds the last token of a context still filling up.
struct Dims {
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> state: array<u32>;   // (3) tokens in the context, tokens generated, seed
@group(0) @binding(2) var<storage, read> x: array<f32>;       // (T, C)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (C)

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= dims.channels) { return; }
  y[index] = x[(state[0] - 1u) * dims.channels + index];
}
