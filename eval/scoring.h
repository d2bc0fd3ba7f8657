// Log-likelihoods from logits. Everything is computed on the host in double, each row by itself in
// one fixed order, over all rows of the head: a token's numbers depend neither on its batch nor on
// threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace simba::eval {

// The predictions at R positions.
class Predictions {
 public:
  Predictions() = default;
  // logits: (R, V), any floating type and device.
  explicit Predictions(const at::Tensor& logits);

  std::int64_t rows() const { return static_cast<std::int64_t>(log_normalizer_.size()); }
  // -ln p(token) at a row, in nats.
  double nll(std::int64_t row, std::int64_t token) const;
  // The most likely token of a row; the first of equals.
  std::int64_t top(std::int64_t row) const { return top_[static_cast<std::size_t>(row)]; }
  // Per row KL(this || other) in nats: what is lost by predicting with `other`. Equal shapes.
  std::vector<double> kl_divergence(const Predictions& other) const;

 private:
  at::Tensor logits_;                   // (R, V) contiguous, float or double, on the host
  std::vector<double> log_normalizer_;  // ln of the sum over V of exp(logit)
  std::vector<std::int64_t> top_;
};

}  // namespace simba::eval
