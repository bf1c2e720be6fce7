// y = the row of x that holds the last token of a context still filling up.
struct Dims {
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> state: array<u32>; // (3) tokens in the context, tokens generated, seed
// x: (T, C); y: (1, C)

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane >= LANES) { return; }
  for (var c = 4u * lane; c < dims.channels; c += 4u * LANES) { store_y(0u, c, load_x(state[0] - 1u, c)); }
}
