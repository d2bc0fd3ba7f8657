// Log-likelihoods of given tokens at given rows of logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace simba::eval {

struct TokenQuery {
  std::int64_t row;
  std::int64_t token;
};

struct TokenScore {
  double log_likelihood;  // in nats, over all rows of the head, padding rows included
  bool is_top;            // whether no other id is likelier; the first of equals wins
};

// logits: (R, V). On a CPU every row by itself in one fixed order, so that its score does not
// depend on the batch; on another device there, in double, so that only scores are copied back.
std::vector<TokenScore> score_tokens(const at::Tensor& logits,
                                     const std::vector<TokenQuery>& queries);

// The second way, on whatever device the logits are.
std::vector<TokenScore> score_tokens_on_device(const at::Tensor& logits,
                                               const std::vector<TokenQuery>& queries);

}  // namespace simba::eval
