// The figures of each row of a task: what the table prints and results.json holds.
#pragma once

#include <optional>
#include <vector>

#include "eval/statistics.h"
#include "eval/tasks/task_run.h"

namespace simba::eval {

struct TaskRowSummary {
  std::vector<MetricValue> metrics;            // in the order of the task's metrics
  std::optional<PairedDifference> difference;  // of the primary metric to dense's, per document
  double flops_share;                          // of dense's total
  std::optional<double> overlap_mean;          // with recent, over the layers that drop
  std::optional<double> overlap_last_cut;
  bool finite;  // whether every log-likelihood is
};

// One per row.
std::vector<TaskRowSummary> summarize_task(const TaskRun& run,
                                           const std::vector<TaskRowScores>& scores);

}  // namespace simba::eval
