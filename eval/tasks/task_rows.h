// The rows of one task's table: dense, every method at its retention or budget, and the dense model
// on truncated contexts of the same FLOPs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csrc/model/model_shape.h"
#include "eval/budget_option.h"
#include "eval/matched_flops.h"
#include "eval/methods.h"
#include "eval/tasks/batches.h"

namespace simba::eval {

struct TaskRow {
  Method method;
  std::optional<SolvedBudget> budget = {};
  std::vector<Match> matches = {};    // truncated rows: whose FLOPs they spend
  std::vector<std::int64_t> lengths;  // of each group's context, its newest tokens that are read
  FlopCount flops = {};               // of the whole run
  std::vector<Batch> batches = {};
};

struct TaskMethods {
  MethodGrid grid;              // its retentions are not used where there are budgets
  std::vector<Budget> budgets;  // of the whole run, each solved for a retention
  bool match_flops = false;
};

// Dense first, then methods, then truncated rows, one per different set of lengths. A budget of
// dense itself adds no row. Run totals are within 1 % of their budget: throws InputError naming the
// row and the reachable range where that cannot be, or where a schedule has no retention.
std::vector<TaskRow> make_task_rows(const ModelShape& model,
                                    const std::vector<ContextGroup>& groups,
                                    const TaskMethods& methods, std::int64_t batch_tokens);

}  // namespace simba::eval
