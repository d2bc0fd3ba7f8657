#include "eval/scoring.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <functional>

namespace simba::eval {
namespace {

// f(const scalar*) on a tensor that is float or double.
template <typename F>
auto with_data(const at::Tensor& logits, F&& f) {
  return logits.scalar_type() == at::kDouble ? f(logits.const_data_ptr<double>())
                                             : f(logits.const_data_ptr<float>());
}

void for_each_row(std::int64_t rows, const std::function<void(std::int64_t)>& f) {
  at::parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row);
  });
}

}  // namespace

Predictions::Predictions(const at::Tensor& logits)
    : logits_(logits.to(at::kCPU, logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat)
                  .contiguous()),
      log_normalizer_(static_cast<std::size_t>(logits.size(0))),
      top_(static_cast<std::size_t>(logits.size(0))) {
  const std::int64_t vocab = logits_.size(1);
  with_data(logits_, [&](const auto* data) {
    for_each_row(logits_.size(0), [&](std::int64_t row) {
      const auto* logit = data + row * vocab;
      std::int64_t top = 0;
      for (std::int64_t v = 1; v < vocab; ++v) {
        if (logit[v] > logit[top]) top = v;
      }
      const double highest = logit[top];
      double sum = 0;
      for (std::int64_t v = 0; v < vocab; ++v) sum += std::exp(logit[v] - highest);
      log_normalizer_[static_cast<std::size_t>(row)] = highest + std::log(sum);
      top_[static_cast<std::size_t>(row)] = top;
    });
  });
}

double Predictions::nll(std::int64_t row, std::int64_t token) const {
  const std::int64_t at = row * logits_.size(1) + token;
  const double logit =
      with_data(logits_, [at](const auto* data) { return static_cast<double>(data[at]); });
  return log_normalizer_[static_cast<std::size_t>(row)] - logit;
}

std::vector<double> Predictions::kl_divergence(const Predictions& other) const {
  const std::int64_t vocab = logits_.size(1);
  std::vector<double> divergence(log_normalizer_.size());
  with_data(logits_, [&](const auto* own) {
    with_data(other.logits_, [&](const auto* others) {
      for_each_row(rows(), [&](std::int64_t row) {
        const auto r = static_cast<std::size_t>(row);
        double sum = 0;
        for (std::int64_t v = row * vocab; v < (row + 1) * vocab; ++v) {
          const double log_p = own[v] - log_normalizer_[r];
          const double p = std::exp(log_p);
          if (p > 0) sum += p * (log_p - (others[v] - other.log_normalizer_[r]));
        }
        divergence[r] = sum;
      });
    });
  });
  return divergence;
}

}  // namespace simba::eval
