#include "eval/tasks/task_rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/budget.h"

namespace simba::eval {
namespace {

// What `solve` gives; its complaints begin with the row's name.
template <typename Solve>
auto solved(const std::string& row_name, Solve&& solve) {
  try {
    return solve();
  } catch (const InputError& error) {
    throw InputError(row_name + ": " + error.what());
  }
}

class RowMaker {
 public:
  RowMaker(const ModelShape& model, const std::vector<ContextGroup>& groups)
      : model_(model), groups_(groups) {
    for (const ContextGroup& group : groups) {
      lengths_.push_back(group.context_length());
      items_.push_back({group.context_length(), group.extended_tokens()});
    }
    const PruningPlan dense = PruningPlan::dense();
    dense_ = groups_flops(model, groups, lengths_, dense);
    chained_surplus_ = run_flops(model, items_, dense).total() - dense_.total();
  }

  const FlopCount& dense() const { return dense_; }

  TaskRow row(const Method& method) const {
    TaskRow row{method, {}, {}, lengths_, {}, {}};
    row.flops = groups_flops(model_, groups_, lengths_, method.plan);
    return row;
  }

  TaskRow budgeted(Method method, const Budget& budget) const {
    const double flops = budget.flops(dense_.total());
    const std::string row_name = "--budget " + budget.text + ": " + method.label();
    method = solved(
        row_name, [&] { return solved_method(model_, items_, method, flops + chained_surplus_); });
    TaskRow result = row(method);
    result.budget = SolvedBudget{budget.text, flops};
    solved(row_name, [&] { require_budget(result.flops.total(), flops); });
    return result;
  }

  TaskRow truncated(const TaskRow& matched) const {
    const double budget = matched.flops.total();
    const std::string row_name = "--match-flops: " + matched.method.name();
    TaskRow row;
    row.method = truncated_method(matched.method);
    row.lengths = solved(
        row_name, [&] { return solve_truncation(model_, items_, budget + chained_surplus_); });
    row.flops = groups_flops(model_, groups_, row.lengths, row.method.plan);
    row.matches = {{matched.method.name(), budget}};
    solved(row_name, [&] { require_budget(row.flops.total(), budget); });
    return row;
  }

 private:
  const ModelShape& model_;
  const std::vector<ContextGroup>& groups_;
  std::vector<std::int64_t> lengths_;
  std::vector<RunItem> items_;
  FlopCount dense_;
  // The solvers see one continuation per context, the choices chained. Under attention a chained
  // choice also looks at those before it; that surplus does not depend on the context's length.
  double chained_surplus_ = 0;
};

}  // namespace

std::vector<TaskRow> make_task_rows(const ModelShape& model,
                                    const std::vector<ContextGroup>& groups,
                                    const TaskMethods& methods, std::int64_t batch_tokens) {
  const RowMaker maker(model, groups);
  MethodGrid grid = methods.grid;
  // Any retention will do where budgets replace it.
  if (!methods.budgets.empty()) grid.retentions = {Retention{1, 2}};
  std::vector<TaskRow> rows;
  for (const Method& method : expand_methods(grid)) {
    if (method.is_dense() || methods.budgets.empty()) {
      rows.push_back(maker.row(method));
      continue;
    }
    for (const Budget& budget : methods.budgets) {
      if (budget.of_dense && budget.value >= 1) continue;
      TaskRow row = maker.budgeted(method, budget);
      if (!row.method.plan.is_dense()) rows.push_back(std::move(row));
    }
  }
  if (methods.match_flops) {
    std::vector<TaskRow> truncated;
    for (const TaskRow& row : rows) {
      if (row.method.is_dense()) continue;
      merge_truncated(truncated, maker.truncated(row),
                      [](const TaskRow& a, const TaskRow& b) { return a.lengths == b.lengths; });
    }
    for (TaskRow& row : truncated) rows.push_back(std::move(row));
  }
  for (TaskRow& row : rows) row.batches = make_batches(groups, row.lengths, batch_tokens);
  return rows;
}

}  // namespace simba::eval
