// x[row] = dropout(table[token] + positions[row mod context]), for the tokens whose rows this shard of the table holds.
struct Dims {
  rows: u32,        // N = B * T
  channels: u32,
  context: u32,
  first_token: u32, // the shard's first row
  shard_rows: u32,
  site: u32,        // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> tokens: array<u32>; // (N)
// table: (shard_rows, C); positions: (T, C); x: (N, C)

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + lane / LANES;
  if (row >= dims.rows) { return; }
  let local = tokens[row] - dims.first_token; // wraps below the shard, and is then past its end
  if (local >= dims.shard_rows) { return; }
  let position = row % dims.context;
  for (var c = 4u * (lane % LANES); c < dims.channels; c += 4u * LANES) {
    let sum = load_table(local, c) + load_positions(position, c);
    store_x(row, c, sum * dropout_factors(dims.dropout, step.seed, dims.site, row, c));
  }
}
