#include "eval/statistics.h"

#include <cmath>
#include <map>
#include <numeric>

namespace simba::eval {

double perplexity(double mean_nll) { return std::exp(mean_nll); }

double perplexity_per_word(double mean_nll, std::int64_t tokens, std::int64_t words) {
  return std::exp(mean_nll * static_cast<double>(tokens) / static_cast<double>(words));
}

PairedDifference paired_difference(const std::vector<double>& method,
                                   const std::vector<double>& base,
                                   const std::vector<std::int64_t>& count,
                                   const std::vector<std::size_t>& clusters) {
  const auto tokens =
      static_cast<double>(std::accumulate(count.begin(), count.end(), std::int64_t{0}));
  double sum = 0;
  for (std::size_t i = 0; i < method.size(); ++i) sum += method[i] - base[i];
  PairedDifference result{sum / tokens, std::nullopt};

  std::map<std::size_t, double> residuals;
  for (std::size_t i = 0; i < method.size(); ++i) {
    residuals[clusters[i]] += method[i] - base[i] - result.mean * static_cast<double>(count[i]);
  }
  const auto n_clusters = static_cast<double>(residuals.size());
  if (n_clusters < 2) return result;
  double squares = 0;
  for (const auto& [cluster, residual] : residuals) squares += residual * residual;
  result.standard_error = std::sqrt(n_clusters / (n_clusters - 1) * squares) / tokens;
  return result;
}

}  // namespace simba::eval
