#include "eval/sweep/sweep_rows.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/budget.h"
#include "eval/sweep/combine_rows.h"
#include "eval/sweep/in_file.h"

namespace simba::eval {
namespace {

constexpr double kSameFlops = 1e-9;
constexpr auto kPrunedFamily = "mamba";

// Without those of dense itself, which add nothing.
std::vector<Budget> budgets_of(const SweepMethods& block, const DenseFlops& dense_flops,
                               double dense) {
  std::vector<Budget> budgets = block.budgets;
  for (const std::string& model : block.match) {
    budgets.push_back({"dense " + model, dense_flops(model), false});
  }
  std::erase_if(budgets, [&](const Budget& budget) {
    return std::abs(budget.flops(dense) - dense) <= kSameFlops * dense;
  });
  return budgets;
}

std::string blame(const SweepMethods& block, const std::string& what) {
  return block.where + ": " + what;
}

class ContextRows {
 public:
  ContextRows(const ModelShape& shape, std::int64_t context, const RunShape& run)
      : shape_(shape), context_(context), run_(run) {
    items_.assign(static_cast<std::size_t>(run.windows), {context, run.score - 1});
    dense_ = run_flops(shape, items_, PruningPlan::dense()).total();
  }

  std::vector<Row> rows(const SweepMethods& block, const std::vector<Budget>& budgets) {
    std::vector<Method> methods;
    if (!block.has_budgets()) {
      methods = expand_methods(block.grid);
    } else {
      MethodGrid grid = block.grid;
      grid.retentions = {Retention{1, 2}};  // any will do
      for (const Method& method : expand_methods(grid)) {
        if (method.is_dense()) methods.push_back(method);
        if (!method.is_dense()) add_solved(method, budgets, methods);
      }
    }
    std::vector<Row> rows = make_rows(shape_, methods, {context_}, run_);
    if (block.truncated) rows = with_matched_flops(shape_, std::move(rows), run_);
    return rows;
  }

  // By the name of the method that was solved.
  const std::map<std::string, SolvedBudget>& solved() const { return solved_; }

 private:
  void add_solved(const Method& method, const std::vector<Budget>& budgets,
                  std::vector<Method>& methods) {
    for (const Budget& budget : budgets) {
      const double flops = budget.flops(dense_);
      in_file("budget " + budget.text + ": " + method.label(), [&] {
        Method result = solved_method(shape_, items_, method, flops);
        require_budget(run_flops(shape_, items_, result.plan).total(), flops);
        if (result.plan.is_dense()) return;
        solved_.emplace(result.plan.name(), SolvedBudget{budget.text, flops});
        methods.push_back(std::move(result));
      });
    }
  }

  const ModelShape& shape_;
  std::int64_t context_;
  RunShape run_;
  std::vector<RunItem> items_;
  double dense_ = 0;
  std::map<std::string, SolvedBudget> solved_;
};

}  // namespace

std::vector<SweepMethods> methods_of(const std::vector<SweepMethods>& all, const std::string& model,
                                     const ModelShape& shape) {
  const bool can_be_pruned = shape.family() == kPrunedFamily;
  std::vector<SweepMethods> methods;
  for (const SweepMethods& block : all) {
    const bool named =
        std::find(block.models.begin(), block.models.end(), model) != block.models.end();
    if (named && !can_be_pruned) {
      throw InputError(block.where + ": models: " + model + " is of the family " + shape.family() +
                       ", which reads every token: it can only be run densely");
    }
    if (named || (block.models.empty() && can_be_pruned)) methods.push_back(block);
  }
  return methods;
}

std::vector<TaskRow> sweep_task_rows(const ModelShape& shape,
                                     const std::vector<ContextGroup>& groups,
                                     const std::vector<SweepMethods>& blocks,
                                     const DenseFlops& dense_flops, std::int64_t batch_tokens,
                                     const std::string& what) {
  std::vector<std::vector<TaskRow>> rows = {make_task_rows(shape, groups, {}, batch_tokens)};
  const double dense = rows.front().front().flops.total();
  for (const SweepMethods& block : blocks) {
    rows.push_back(in_file(blame(block, what), [&] {
      const TaskMethods methods = {block.grid, budgets_of(block, dense_flops, dense),
                                   block.truncated};
      return make_task_rows(shape, groups, methods, batch_tokens);
    }));
  }
  return combine_rows(std::move(rows),
                      [](const TaskRow& a, const TaskRow& b) { return a.lengths == b.lengths; });
}

std::vector<ContextRow> sweep_context_rows(const ModelShape& shape, std::int64_t context,
                                           const RunShape& run,
                                           const std::vector<SweepMethods>& blocks,
                                           const DenseFlops& dense_flops, const std::string& what) {
  ContextRows maker(shape, context, run);
  std::vector<std::vector<Row>> rows = {make_rows(shape, {Method()}, {context}, run)};
  const double dense = rows.front().front().flops.total();
  for (const SweepMethods& block : blocks) {
    rows.push_back(in_file(blame(block, what), [&] {
      return maker.rows(block, budgets_of(block, dense_flops, dense));
    }));
  }
  std::vector<ContextRow> result;
  for (Row& row : combine_rows(std::move(rows),
                               [](const Row&a, const Row&b) { return a.length == b.length; })) {
    const auto solved = maker.solved().find(row.method.name());
    const bool has_budget = row.matches.empty() && solved != maker.solved().end();
    result.push_back({std::move(row), has_budget ? std::optional(solved->second) : std::nullopt});
  }
  return result;
}

}  // namespace simba::eval
