// Draws the next token from its logits and appends it to the context, which slides once it is full.
// Gumbel's trick: argmax(logit / temperature + Gumbel noise) is a draw from the softmax; temperature 0 is the argmax.
struct Dims {
  vocabulary: u32,
  context: u32,     // T
  top_k: u32,       // how many of the likeliest tokens stand for election; 0: all
  temperature: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// logits: (1, V)
@group(0) @binding(2) var<storage, read_write> state: array<u32>;  // (3) tokens in the context, tokens generated, seed
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>; // (T) the context
@group(0) @binding(4) var<storage, read_write> output: array<u32>; // tokens generated

var<workgroup> counts: array<u32, 64>;
var<workgroup> best_scores: array<f32, 64>;
var<workgroup> best_tokens: array<u32, 64>;

// Unsigned integers that order as the floats do.
fn ordered(value: vec4<f32>) -> vec4<u32> {
  let bits = bitcast<vec4<u32>>(value);
  return select(bits | vec4(0x80000000u), ~bits, (bits & vec4(0x80000000u)) != vec4(0u));
}

// Which of the four tokens from `first` on are of the vocabulary and have logits of at least `threshold`.
fn eligible(first: u32, logits: vec4<f32>, threshold: u32) -> vec4<bool> {
  return (first + vec4(0u, 1u, 2u, 3u) < vec4(dims.vocabulary)) & (ordered(logits) >= vec4(threshold));
}

// How many logits are at least `threshold`.
fn count_from(lane: u32, threshold: u32) -> u32 {
  var count = 0u;
  for (var i = 4u * lane; i < dims.vocabulary; i += 256u) {
    count += dot(select(vec4(0u), vec4(1u), eligible(i, load_logits(0u, i), threshold)), vec4(1u));
  }
  counts[lane] = count;
  workgroupBarrier();
  var sum = 0u;
  for (var i = 0u; i < 64u; i++) { sum += counts[i]; }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  // The k-th largest logit, bit by bit from the top.
  var threshold = 0u;
  if (dims.top_k > 0u && dims.top_k < dims.vocabulary) {
    for (var bit = 0u; bit < 32u; bit++) {
      let candidate = threshold | (0x80000000u >> bit);
      if (count_from(lane, candidate) >= dims.top_k) { threshold = candidate; }
    }
  }
  var best_score = -0x1p+127f;
  var best_token = 0u;
  for (var first = 4u * lane; first < dims.vocabulary; first += 256u) {
    let logits = load_logits(0u, first);
    let stands = eligible(first, logits, threshold);
    for (var i = 0u; i < 4u; i++) {
      var score = logits[i];
      if (dims.temperature > 0.0) {
        // The exponential variable behind the noise, from the end where winners lie: log is inexact near 1.
        let u = random_uniform(state[2], 0u, state[1], first + i) + 0x1p-25f; // in (0, 1]
        let exponential = select(-log(1.0 - u), u + 0.5 * u * u, u < 0x1p-10f); // -log(1 - u); u = 1 never wins
        score = score / dims.temperature - log(exponential);
      }
      if (stands[i] && score > best_score) {
        best_score = score;
        best_token = first + i;
      }
    }
  }
  best_scores[lane] = best_score;
  best_tokens[lane] = best_token;
  workgroupBarrier();
  if (lane != 0u) { return; }
  for (var i = 1u; i < 64u; i++) {
    if (best_scores[i] > best_score || (best_scores[i] == best_score && best_tokens[i] < best_token)) {
      best_score = best_scores[i];
      best_token = best_tokens[i];
    }
  }
  output[state[1]] = best_token;
  state[1] += 1u;
  if (state[0] < dims.context) {
    tokens[state[0]] = best_token;
    state[0] += 1u;
    return;
  }
  for (var i = 1u; i < dims.context; i++) { tokens[i - 1u] = tokens[i]; }
  tokens[dims.context - 1u] = best_token;
}
