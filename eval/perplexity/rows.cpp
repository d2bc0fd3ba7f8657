#include "eval/perplexity/rows.h"

#include "csrc/input_error.h"
#include "csrc/model/budget.h"

namespace simba::eval {
namespace {

std::vector<RunItem> run_items(std::int64_t length, const RunShape& shape) {
  return std::vector<RunItem>(static_cast<std::size_t>(shape.windows), {length, shape.score - 1});
}

Row truncated_row(const ModelShape& model, const Row& matched, const RunShape& shape) {
  const double budget = matched.flops.total();
  Row row;
  row.method = truncated_method(matched.method);
  row.context = matched.context;
  try {
    row.length = solve_truncation(model, run_items(row.context, shape), budget).front();
  } catch (const InputError& error) {
    throw InputError("--match-flops: " + matched.method.name() + " at context " +
                     std::to_string(row.context) + ": " + error.what());
  }
  row.flops = run_flops(model, run_items(row.length, shape), row.method.plan);
  row.matches = {{matched.method.name(), budget}};
  if (!within_budget(row.flops.total(), budget)) {
    throw InputError("--match-flops: " + matched.method.name() + " at context " +
                     std::to_string(row.context) + ": dense on its newest " +
                     std::to_string(row.length) + " tokens is not within 1 % of its FLOPs");
  }
  return row;
}

}  // namespace

std::vector<Row> make_rows(const ModelShape& model, const std::vector<Method>& methods,
                           const std::vector<std::int64_t>& contexts, const RunShape& shape) {
  std::vector<Row> rows;
  for (const std::int64_t context : contexts) {
    for (const Method& method : methods) {
      rows.push_back(
          {method, context, context, {}, run_flops(model, run_items(context, shape), method.plan)});
    }
  }
  return rows;
}

std::vector<Row> with_matched_flops(const ModelShape& model, std::vector<Row> rows,
                                    const RunShape& shape) {
  std::vector<Row> matched;
  std::vector<Row> truncated;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].method.is_dense()) {
      merge_truncated(truncated, truncated_row(model, rows[i], shape),
                      [](const Row& a, const Row& b) { return a.length == b.length; });
    }
    matched.push_back(std::move(rows[i]));
    const bool last_of_context =
        i + 1 == rows.size() || rows[i + 1].context != matched.back().context;
    if (!last_of_context) continue;
    for (Row& row : truncated) matched.push_back(std::move(row));
    truncated.clear();
  }
  return matched;
}

}  // namespace simba::eval
