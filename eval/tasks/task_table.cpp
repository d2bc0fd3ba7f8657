#include "eval/tasks/task_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "eval/text/table.h"

namespace simba::eval {
namespace {

constexpr auto kAbsent = "-";
constexpr std::array kMetrics = {Metric::kAcc, Metric::kAccNorm, Metric::kAccBytes,
                                 Metric::kPerplexity};

std::string with_error(double value, const std::optional<double>& error, double scale,
                       int decimals) {
  std::string text = fixed(scale * value, decimals);
  if (error) text += " ± " + fixed(scale * *error, decimals);
  return text;
}

std::string metric_cell(const MetricValue& metric, Metric kind, bool primary) {
  if (kind == Metric::kPerplexity) {
    std::string text = significant(metric.value);
    if (metric.standard_error) text += " ± " + significant(*metric.standard_error);
    return text;
  }
  return with_error(metric.value, metric.standard_error, 100, 1) + (primary ? "*" : " ");
}

std::string difference_cell(const std::optional<PairedDifference>& difference) {
  if (!difference) return kAbsent;
  std::string text = difference->mean < 0 ? "" : "+";
  text += with_error(difference->mean, difference->standard_error, 100, 1);
  return text;
}

std::string overlap_cell(const TaskRowSummary& summary) {
  if (!summary.overlap_mean) return kAbsent;
  return fixed(*summary.overlap_mean, 3) + " / " + fixed(*summary.overlap_last_cut, 3);
}

std::string retention_cell(const Method& method) {
  if (method.is_dense()) return "1";
  return method.retention ? fixed(method.retention->value(), 4) : kAbsent;
}

// Decimals that say nothing are left out.
std::string trimmed(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number;
}

bool any_has(const std::vector<TaskRun>& runs, Metric metric) {
  return std::any_of(runs.begin(), runs.end(), [metric](const TaskRun& run) {
    const std::vector<Metric>& metrics = run.task.prompts.config.metrics;
    return std::find(metrics.begin(), metrics.end(), metric) != metrics.end();
  });
}

std::vector<std::string> cells_of(const TaskRun& run, const TaskRow& row,
                                  const TaskRowSummary& summary,
                                  const std::vector<Metric>& columns) {
  const TaskConfig& config = run.task.prompts.config;
  std::vector<std::string> cells = {config.name, row.method.label(),
                                    trimmed(retention_cell(row.method))};
  for (const Metric metric : columns) {
    const auto found = std::find(config.metrics.begin(), config.metrics.end(), metric);
    const auto index = static_cast<std::size_t>(found - config.metrics.begin());
    cells.push_back(found == config.metrics.end()
                        ? kAbsent
                        : metric_cell(summary.metrics[index], metric, metric == config.primary));
  }
  const double per_document = row.flops.total() / 1e9 / static_cast<double>(run.task.documents());
  cells.push_back(difference_cell(summary.difference));
  cells.push_back(significant(per_document));
  cells.push_back(percent(summary.flops_share));
  cells.push_back(overlap_cell(summary));
  return cells;
}

// What was asked, per task, and what of it needs saying.
std::string task_line(const TaskRun& run) {
  const TaskPrompts& prompts = run.task.prompts;
  std::int64_t longest = 0;
  std::int64_t tokens = 0;
  for (const ContextGroup& group : run.task.groups) {
    longest = std::max(longest, group.context_length());
    tokens += group.context_length();
  }
  const auto contexts = static_cast<double>(run.task.groups.size());
  std::string line = prompts.config.name + ": " + std::to_string(run.task.documents()) +
                     " documents, " + std::to_string(run.task.groups.size()) + " contexts of " +
                     fixed(static_cast<double>(tokens) / contexts, 1) + " tokens (longest " +
                     std::to_string(longest) + "), " + std::to_string(prompts.settings.shots) +
                     "-shot\n";
  for (const std::string& note : prompts.notes) line += "  " + note + "\n";
  return line;
}

std::string matched_line(const TaskRun& run, const TaskRow& row) {
  if (row.matches.empty()) return "";
  std::int64_t read = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < row.lengths.size(); ++i) {
    read += row.lengths[i];
    all += run.task.groups[i].context_length();
  }
  return run.task.prompts.config.name + ": truncated to " + std::to_string(read) + " of " +
         std::to_string(all) + " context tokens, in FLOPs within " +
         fixed(100 * farthest_match(row.matches, row.flops.total()), 2) + " % of " +
         match_names(row.matches) + "\n";
}

std::string budget_line(const TaskRun& run, const TaskRow& row) {
  if (!row.budget) return "";
  return run.task.prompts.config.name + ": " + row.method.name() + ": " +
         significant(row.flops.total() / 1e9) + " GFLOP in all, " +
         fixed(100 * (row.flops.total() / row.budget->flops - 1), 2) + " % off the budget " +
         row.budget->text + "\n";
}

}  // namespace

std::string task_table(const std::vector<TaskRun>& runs,
                       const std::vector<std::vector<TaskRowSummary>>& summaries) {
  std::vector<Metric> columns;
  for (const Metric metric : kMetrics) {
    if (any_has(runs, metric)) columns.push_back(metric);
  }
  Table table;
  table.add_column("task", Table::Align::kLeft);
  table.add_column("method", Table::Align::kLeft);
  table.add_column("r");
  for (const Metric metric : columns) table.add_column(metric_name(metric));
  for (const char* header : {"* - dense", "GFLOP", "of dense", "overlap"}) {
    table.add_column(header);
  }
  std::string asked;
  std::string flops;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i > 0) table.add_gap();
    asked += task_line(runs[i]);
    for (std::size_t r = 0; r < runs[i].rows.size(); ++r) {
      const TaskRow& row = runs[i].rows[r];
      table.add_row(cells_of(runs[i], row, summaries[i][r], columns));
      flops += matched_line(runs[i], row) + budget_line(runs[i], row);
    }
  }
  const std::string legend =
      "\naccuracies in % ± standard error; * the task's primary metric, and its paired difference "
      "to dense in points;\nGFLOP per document with scores, continuations and head; overlap with "
      "recent: mean over the layers that drop / last cut\n";
  return asked + "\n" + table.text() + legend + flops;
}

}  // namespace simba::eval
