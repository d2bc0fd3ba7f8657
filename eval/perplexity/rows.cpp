#include "eval/perplexity/rows.h"

#include <cmath>

#include "csrc/input_error.h"
#include "csrc/model/budget.h"

namespace simba::eval {
namespace {

constexpr double kTolerance = 0.01;

std::vector<RunItem> run_items(std::int64_t length, const RunShape& shape) {
  return std::vector<RunItem>(static_cast<std::size_t>(shape.windows), {length, shape.score - 1});
}

Row truncated_row(const ModelShape& model, const Row& matched, const RunShape& shape) {
  const double budget = matched.flops.total();
  Row row;
  row.method.criterion = "truncated";
  row.method.retention = matched.method.retention;
  row.method.schedule = matched.method.schedule;
  row.context = matched.context;
  try {
    row.length = solve_truncation(model, run_items(row.context, shape), budget).front();
  } catch (const InputError& error) {
    throw InputError("--match-flops: " + matched.method.name() + " at context " +
                     std::to_string(row.context) + ": " + error.what());
  }
  row.flops = run_flops(model, run_items(row.length, shape), row.method.plan);
  row.matches = {{matched.method.name(), budget}};
  if (std::abs(row.flops.total() - budget) > kTolerance * budget) {
    throw InputError("--match-flops: " + matched.method.name() + " at context " +
                     std::to_string(row.context) + ": dense on its newest " +
                     std::to_string(row.length) + " tokens is not within 1 % of its FLOPs");
  }
  return row;
}

// Appends `row`, or its match to the row of the same length that is there already.
void merge(std::vector<Row>& truncated, Row row) {
  for (Row& known : truncated) {
    if (known.length == row.length) {
      known.matches.push_back(row.matches.front());
      if (known.method.retention && row.method.retention &&
          known.method.retention->text() != row.method.retention->text()) {
        known.method.retention.reset();
      }
      return;
    }
  }
  truncated.push_back(std::move(row));
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
    if (!rows[i].method.is_dense()) merge(truncated, truncated_row(model, rows[i], shape));
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
