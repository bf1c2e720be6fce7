
// What dropout multiplies an element by: 0 with probability `rate`, else 1 / (1 - rate). DROPOUT is 0 where no dispatch
// drops: llvmpipe computes both sides of a branch, and four hashes cost more than the addition they stand beside.
fn dropout_factor(rate: f32, seed: u32, site: u32, row: u32, column: u32) -> f32 {
  if (DROPOUT == 0u) { return 1.0; }
  return select(1.0 / (1.0 - rate), 0.0, random_uniform(seed, site, row, column) < rate);
}

// Those of four neighbours in a row.
fn dropout_factors(rate: f32, seed: u32, site: u32, row: u32, column: u32) -> vec4<f32> {
  return vec4(
    dropout_factor(rate, seed, site, row, column),
    dropout_factor(rate, seed, site, row, column + 1u),
    dropout_factor(rate, seed, site, row, column + 2u),
    dropout_factor(rate, seed, site, row, column + 3u),
  );
}
