// One invocation (or workgroup: `head_vectors.ts`) holds one key and its value and meets the queries that see them in order.
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (dims.context + ROWS - 1u) / ROWS;
  let index = group.y * groups.x + group.x;
  let head_row = index / tiles; // b * H + h
  let j = (index % tiles) * ROWS + row_in_tile(lane);
  let part = part_of(lane);
  if (head_row >= dims.batch * dims.heads || j >= dims.context) { return; }
  let size = head_vectors(dims.head_size);
  let first_row = (head_row / dims.heads) * dims.context; // of the sequence
  let counters = head_row * dims.context;                 // of this head in lse, delta and dropout's counters
  let q_at = (head_row % dims.heads) * size + part;
  let k_at = q_at + dims.heads * size;
  let v_at = k_at + dims.heads * size;
  let scale = inverseSqrt(f32(dims.head_size));

  var k: array<Element, VECTORS>;
  var v: array<Element, VECTORS>;
  var dk: array<Element, VECTORS>;
  var dv: array<Element, VECTORS>;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) {
      k[i] = get_qkv(first_row + j, k_at + i * LANES) * scale;
      v[i] = get_qkv(first_row + j, v_at + i * LANES);
    }
  }
  for (var t = j; t < dims.context; t++) {
    let other = first_row + t;
    var score = 0.0;
    var dp = 0.0;
    for (var i = 0u; i < VECTORS; i++) {
      score += inner(k[i], get_qkv(other, q_at + i * LANES));
      dp += inner(v[i], get_dy(other, q_at + i * LANES));
    }
    score = across(lane, score);
    dp = across(lane, dp);
    let factor = dropout_factor(dims.dropout, step.seed, dims.site, counters + t, j);
    let p = exp(score - lse[counters + t]);
    let ds = p * (dp * factor - delta[counters + t]) * scale;
    for (var i = 0u; i < VECTORS; i++) {
      dv[i] += p * factor * get_dy(other, q_at + i * LANES);
      dk[i] += ds * get_qkv(other, q_at + i * LANES);
    }
  }
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) {
      put_dqkv(first_row + j, k_at + i * LANES, dk[i]);
      put_dqkv(first_row + j, v_at + i * LANES, dv[i]);
    }
  }
}
