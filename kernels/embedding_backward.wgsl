// dtable[token] += sum of dx over the rows that hold it. Rows come sorted by token, so each table row has one writer
// and a fixed order of addition: no atomics.
struct Dims {
  rows: u32,        // N = B * T
  channels: u32,
  first_token: u32, // the shard's first row
  shard_rows: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;   // (N)
@group(0) @binding(2) var<storage, read> order: array<u32>;    // (N) rows, stably sorted by token
@group(0) @binding(3) var<storage, read> segments: array<u32>; // (N + 1) where each token's run starts in order; N past the last
// dx: (N, C); dtable: (shard_rows, C)

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let segment = (group.y * groups.x + group.x) * ROWS + lane / LANES;
  if (segment >= dims.rows) { return; }
  let start = segments[segment];
  let end = segments[segment + 1u];
  if (start >= end) { return; }
  let local = tokens[order[start]] - dims.first_token; // wraps below the shard, and is then past its end
  if (local >= dims.shard_rows) { return; }
  for (var c = 4u * (lane % LANES); c < dims.channels; c += 4u * LANES) {
    var sum = vec4(0.0);
    for (var i = start; i < end; i++) { sum += load_dx(order[i], c); }
    store_dtable(local, c, load_dtable(local, c) + sum);
  }
}
