// Causal multi-head self-attention with an online softmax: y = softmax(q k^T / sqrt(D)) v, the probabilities never stored.
// A row of qkv is one position's queries, keys and values, each of H heads of D: (B·T, 3·H·D); y: (B·T, H·D).
struct Dims {
  batch: u32,
  heads: u32,
  context: u32,   // T
  head_size: u32, // D
  site: u32,      // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>; // (B, H, T) log of the sum of exponentials
//#body
