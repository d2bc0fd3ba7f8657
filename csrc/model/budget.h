// Solves for the setting that spends a given number of FLOPs, over whole runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "csrc/model/model_shape.h"

namespace simba {

// One context of a run and the number of tokens extended after it.
struct RunItem {
  std::int64_t context;
  std::int64_t continuation;
};

// Whether a run total agrees with a budget: within 1 %.
bool within_budget(double total, double budget);

// Total over the run, all three parts of FlopCount.
FlopCount run_flops(const ModelShape& model, const std::vector<RunItem>& run,
                    const PruningPlan& plan);

// The retention whose run total is nearest to `budget` FLOPs under this schedule and criterion.
// Throws InputError naming the reachable range when no retention comes within 1 %.
Retention solve_retention(const ModelShape& model, const std::vector<RunItem>& run,
                          const Schedule& schedule, std::shared_ptr<const Criterion> criterion,
                          double budget);

// One common fraction of every context (its newest tokens, at least 1), read densely, whose run
// total is nearest to `budget`. Returns the truncated length of every context. Throws InputError as
// above.
std::vector<std::int64_t> solve_truncation(const ModelShape& model, const std::vector<RunItem>& run,
                                           double budget);

}  // namespace simba
