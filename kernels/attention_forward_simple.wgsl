// One invocation (or workgroup: `head_vectors.ts`) holds one query and meets its keys in order: sums have a fixed order.
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (dims.context + ROWS - 1u) / ROWS;
  let index = group.y * groups.x + group.x;
  let head_row = index / tiles; // b * H + h
  let t = (index % tiles) * ROWS + row_in_tile(lane);
  let part = part_of(lane);
  if (head_row >= dims.batch * dims.heads || t >= dims.context) { return; }
  let size = head_vectors(dims.head_size);
  let first_row = (head_row / dims.heads) * dims.context; // of the sequence
  let counters = head_row * dims.context;                 // of this head in lse, delta and dropout's counters
  let q_at = (head_row % dims.heads) * size + part;
  let k_at = q_at + dims.heads * size;
  let v_at = k_at + dims.heads * size;
  let scale = inverseSqrt(f32(dims.head_size));

  var q: array<Element, VECTORS>;
  var sum: array<Element, VECTORS>;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { q[i] = get_qkv(first_row + t, q_at + i * LANES) * scale; }
  }
  var largest = -0x1p+126f;
  var total = 0.0;
  for (var j = 0u; j <= t; j++) {
    let other = first_row + j;
    var score = 0.0;
    for (var i = 0u; i < VECTORS; i++) { score += inner(q[i], get_qkv(other, k_at + i * LANES)); }
    score = across(lane, score);
    if (score > largest) {
      let shrink = exp(largest - score);
      largest = score;
      total *= shrink;
      for (var i = 0u; i < VECTORS; i++) { sum[i] *= shrink; }
    }
    let p = exp(score - largest);
    total += p;
    let kept = p * dropout_factor(dims.dropout, step.seed, dims.site, counters + t, j);
    for (var i = 0u; i < VECTORS; i++) { sum[i] += kept * get_qkv(other, v_at + i * LANES); }
  }
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { put_y(first_row + t, q_at + i * LANES, sum[i] / total); }
  }
  if (part == 0u) { lse[counters + t] = largest + log(total); }
}
