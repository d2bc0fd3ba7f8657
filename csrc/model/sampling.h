// Which token comes next: the rule, exactly.
//
// temperature 0: the largest logit; of equal ones that of the lowest id (top_k, top_p and seed play
// no part). Otherwise, per sequence, with its logits l (V):
//   1. temperature: token i weighs w_i = floor(2^40 exp((l_i - max l) / temperature)), computed in
//      float64. Weights are integers, so sums of them are exact and the same everywhere.
//   2. order: by falling l, equal ones by rising id.
//   3. top_k > 0: the first top_k tokens stay.
//   4. top_p < 1: a token stays while the weight before it, in that order and among those of 3, is
//      less than top_p times their total; the first always stays.
//   5. draw: the first token that makes the running weight of those that stayed exceed floor(x
//   total),
//      x = uniform(seed, stream, step).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace simba {

struct Sampling {
  double temperature = 0;
  std::int64_t top_k = 0;  // 0: all
  double top_p = 1;
  std::uint64_t seed = 0;

  bool is_greedy() const { return temperature == 0; }
};

// Throws InputError unless temperature >= 0 is finite, top_k >= 0 and top_p in (0, 1].
void check_sampling(const Sampling& sampling);

// In [0, 1), a multiple of 2^-53: m(m(m(seed) ^ stream) ^ step) >> 11 with m = splitmix64. `stream`
// is the sequence's own number, so that it draws the same in any batch; step counts its new tokens.
double uniform(std::uint64_t seed, std::int64_t stream, std::int64_t step);

// logits (S, V), uniforms (S) float64 on the same device (unused when greedy): the chosen ids (S)
// int64. Waits for nothing, so it can be captured in a CUDA graph.
at::Tensor choose_tokens(const at::Tensor& logits, const Sampling& sampling,
                         const at::Tensor& uniforms);

}  // namespace simba
