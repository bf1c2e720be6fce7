// x[row] = table[token] + positions[row mod context], for the tokens whose rows this shard of the table holds.
struct Dims {
  rows: u32,        // N = B * T
  channels: u32,
  context: u32,
  first_token: u32, // the shard's first row
  shard_rows: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;      // (N)
@group(0) @binding(2) var<storage, read> table: array<f32>;       // (shard_rows, C)
@group(0) @binding(3) var<storage, read> positions: array<f32>;   // (T, C)
@group(0) @binding(4) var<storage, read_write> x: array<f32>;     // (N, C)

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= dims.rows * dims.channels) { return; }
  let row = index / dims.channels;
  let channel = index % dims.channels;
  let local = tokens[row] - dims.first_token; // wraps below the shard, and is then past its end
  if (local >= dims.shard_rows) { return; }
  x[index] = table[local * dims.channels + channel] + positions[(row % dims.context) * dims.channels + channel];
}
