// The rows of one model on one task, or at one context length of the books.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/perplexity/rows.h"
#include "eval/sweep/sweep_config.h"
#include "eval/tasks/task_rows.h"

namespace simba::eval {

// The [[methods]] that a model of this name and family is run under; empty: dense alone. Throws
// InputError where a block names a model that cannot be pruned.
std::vector<SweepMethods> methods_of(const std::vector<SweepMethods>& all, const std::string& model,
                                     const ModelShape& shape);

// FLOPs of a model's dense run on the same items: what `match` asks for.
using DenseFlops = std::function<double(const std::string& model)>;

// As make_task_rows(), for all blocks. Run totals are within 1 % of their budgets: throws
// InputError naming the block's line and `what` where one is out of reach, with the range.
std::vector<TaskRow> sweep_task_rows(const ModelShape& shape,
                                     const std::vector<ContextGroup>& groups,
                                     const std::vector<SweepMethods>& blocks,
                                     const DenseFlops& dense_flops, std::int64_t batch_tokens,
                                     const std::string& what);

struct ContextRow {
  Row row;
  std::optional<SolvedBudget> budget;
};

// The same for windows with `context` tokens of context.
std::vector<ContextRow> sweep_context_rows(const ModelShape& shape, std::int64_t context,
                                           const RunShape& run,
                                           const std::vector<SweepMethods>& blocks,
                                           const DenseFlops& dense_flops, const std::string& what);

}  // namespace simba::eval
