// Figures from per-window sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace simba::eval {

// exp of the mean negative log-likelihood per token.
double perplexity(double mean_nll);

// exp(mean_nll * tokens / words): comparable among tokenizers. tokens and words are of the same
// text.
double perplexity_per_word(double mean_nll, std::int64_t tokens, std::int64_t words);

struct PairedDifference {
  double mean;                           // of the method's minus the base's nll, per token, in nats
  std::optional<double> standard_error;  // none with fewer than two clusters
};

// Differences d_i = method_i - base_i of sums over the count_i tokens of window i. The mean is
// m = sum d_i / sum count_i; its standard error is clustered (windows of one book are not
// independent),
//   sqrt( G / (G - 1) * sum over clusters g of (sum of (d_i - m count_i), i in g)^2 ) / sum
//   count_i,
// the linearised ratio estimator with the small-sample factor G / (G - 1) for G clusters. All
// vectors have one entry per window; clusters holds any number that names the window's cluster.
PairedDifference paired_difference(const std::vector<double>& method,
                                   const std::vector<double>& base,
                                   const std::vector<std::int64_t>& count,
                                   const std::vector<std::size_t>& clusters);

}  // namespace simba::eval
