#include "eval/tasks/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/statistics.h"

namespace simba::eval {
namespace {

double length_for(Metric metric, const std::string& choice) {
  if (metric == Metric::kAccNorm) return static_cast<double>(character_count(choice));
  if (metric == Metric::kAccBytes) return static_cast<double>(choice.size());
  return 1;
}

}  // namespace

std::size_t character_count(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::size_t predicted_choice(Metric metric, const Example& example,
                             const std::vector<ContinuationScore>& scores) {
  std::size_t best = 0;
  double highest = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double value = scores[i].log_likelihood / length_for(metric, example.choices[i]);
    if (std::isnan(value)) return i;
    if (i > 0 && !(value > highest)) continue;
    best = i;
    highest = value;
  }
  return best;
}

double document_value(Metric metric, const TaskConfig& task, const Example& example,
                      const std::vector<ContinuationScore>& scores) {
  if (metric == Metric::kPerplexity) return scores.front().log_likelihood;
  if (task.kind == TaskKind::kTarget) return scores.front().greedy ? 1 : 0;
  return predicted_choice(metric, example, scores) == example.gold ? 1 : 0;
}

MetricValue summarize_metric(Metric metric, const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  std::optional<double> error;
  if (values.size() > 1) {
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    error = std::sqrt(squares / (n - 1) / n);
  }
  if (metric != Metric::kPerplexity) return {mean, error};
  const double value = perplexity(-mean);
  if (error) *error *= value;
  return {value, error};
}

}  // namespace simba::eval
