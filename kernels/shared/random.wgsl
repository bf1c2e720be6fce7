
// Counter-based random numbers: a value depends on its counters alone, so the backward pass draws the forward's again.
// PCG's RXS-M-XS output over an LCG step (Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 2020).
fn pcg(input: u32) -> u32 {
  let state = input * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

// Uniform in [0, 1), in steps of 2^-24, from four counters.
fn random_uniform(seed: u32, site: u32, row: u32, column: u32) -> f32 {
  return f32(pcg(pcg(pcg(pcg(seed) + site) + row) + column) >> 8u) * 0x1p-24f;
}
