#include "eval/tasks/task_summary.h"

#include <cmath>
#include <numeric>

namespace simba::eval {
namespace {

std::vector<double> document_values(Metric metric, const TaskRun& run,
                                    const TaskRowScores& scores) {
  const TaskPrompts& prompts = run.task.prompts;
  std::vector<double> values;
  for (std::size_t d = 0; d < scores.documents.size(); ++d) {
    values.push_back(
        document_value(metric, prompts.config, prompts.examples[d], scores.documents[d]));
  }
  return values;
}

bool all_finite(const TaskRowScores& scores) {
  for (const auto& document : scores.documents) {
    for (const ContinuationScore& score : document) {
      if (!std::isfinite(score.log_likelihood)) return false;
    }
  }
  return true;
}

}  // namespace

std::vector<TaskRowSummary> summarize_task(const TaskRun& run,
                                           const std::vector<TaskRowScores>& scores) {
  const TaskConfig& config = run.task.prompts.config;
  const std::vector<double> base = document_values(config.primary, run, scores.front());
  const std::vector<std::int64_t> once(base.size(), 1);
  std::vector<std::size_t> documents(base.size());
  std::iota(documents.begin(), documents.end(), std::size_t{0});

  std::vector<TaskRowSummary> summaries;
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    TaskRowSummary summary;
    for (const Metric metric : config.metrics) {
      summary.metrics.push_back(summarize_metric(metric, document_values(metric, run, scores[r])));
    }
    if (!run.rows[r].method.is_dense()) {
      summary.difference =
          paired_difference(document_values(config.primary, run, scores[r]), base, once, documents);
    }
    summary.flops_share = run.rows[r].flops.total() / run.rows.front().flops.total();
    if (!scores[r].overlap.empty()) {
      summary.overlap_mean = mean_overlap(scores[r].overlap);
      summary.overlap_last_cut = scores[r].overlap.rbegin()->second.overlap();
    }
    summary.finite = all_finite(scores[r]);
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace simba::eval
