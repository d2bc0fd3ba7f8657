#include "eval/sweep/sweep_tables.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "eval/perplexity/perplexity_table.h"
#include "eval/tasks/task_table.h"
#include "eval/text/table.h"

namespace simba::eval {
namespace {

// Layers whose tokens are shown: the first, the last and three between.
std::vector<std::size_t> shown_layers(std::int64_t n_layer) {
  std::set<std::size_t> layers;
  for (const std::int64_t quarter : {0, 1, 2, 3, 4}) {
    layers.insert(static_cast<std::size_t>(quarter * (n_layer - 1) / 4));
  }
  return {layers.begin(), layers.end()};
}

std::string layers_cell(const std::vector<std::int64_t>& tokens) {
  std::string text;
  for (const std::size_t layer : shown_layers(static_cast<std::int64_t>(tokens.size()))) {
    if (!text.empty()) text += ' ';
    text += std::to_string(tokens[layer]);
  }
  return text;
}

std::string retention_cell(const Method& method) {
  if (method.is_dense()) return "1";
  return method.retention ? significant(method.retention->value()) : "-";
}

std::string budget_cell(const std::optional<SolvedBudget>& budget, double flops,
                        const std::vector<Match>& matches) {
  if (budget) {
    return budget->text + " (" + fixed(100 * (flops / budget->flops - 1), 2) + " % off)";
  }
  if (matches.empty()) return "-";
  return std::to_string(matches.size()) + (matches.size() == 1 ? " row" : " rows") + " (within " +
         fixed(100 * farthest_match(matches, flops), 2) + " %)";
}

std::int64_t mean_length(const std::vector<std::int64_t>& lengths) {
  double sum = 0;
  for (const std::int64_t length : lengths) sum += static_cast<double>(length);
  return std::max<std::int64_t>(1, std::llround(sum / static_cast<double>(lengths.size())));
}

std::string task_name(const TaskPrompts& prompts) {
  const std::int64_t shots = prompts.settings.shots;
  return prompts.config.name + (shots > 0 ? ", " + std::to_string(shots) + "-shot" : "");
}

void add_task_rows(const ModelPlan& model, const TaskRun& run, Table& table) {
  const double dense = run.rows.front().flops.total();
  for (const TaskRow& row : run.rows) {
    const double flops = row.flops.total();
    const auto tokens =
        row.method.plan.tokens_per_layer(mean_length(row.lengths), model.model->shape->n_layer());
    table.add_row({task_name(run.task.prompts), row.method.label(), retention_cell(row.method),
                   significant(flops / 1e9), percent(flops / dense),
                   budget_cell(row.budget, flops, row.matches), layers_cell(tokens),
                   std::to_string(row.batches.size())});
  }
}

void add_perplexity_rows(const ModelPlan& model, Table& table) {
  const PerplexityPlan& plan = *model.perplexity;
  double dense = 1;
  for (std::size_t r = 0; r < plan.run.rows.size(); ++r) {
    const Row& row = plan.run.rows[r];
    const double flops = row.flops.total();
    if (row.method.is_dense()) dense = flops;
    const auto tokens = row.method.plan.tokens_per_layer(row.length, model.model->shape->n_layer());
    table.add_row({"context " + std::to_string(row.context), row.method.label(),
                   retention_cell(row.method), significant(flops / 1e9), percent(flops / dense),
                   budget_cell(plan.budgets[r], flops, row.matches), layers_cell(tokens), "-"});
  }
}

// "mamba-370m: mamba, 48 layers, 371.5 M parameters, 27 units, 1.2 PFLOP"
std::string model_line(const ModelPlan& model, std::size_t units) {
  const ModelShape& shape = *model.model->shape;
  double flops = 0;
  for (const TaskRun& run : model.tasks) {
    for (const TaskRow& row : run.rows) flops += row.flops.total();
  }
  if (model.perplexity) {
    for (const Row& row : model.perplexity->run.rows) flops += row.flops.total();
  }
  return model.model->name() + ": " + shape.family() + ", " + std::to_string(shape.n_layer()) +
         " layers, " + fixed(static_cast<double>(shape.parameters()) / 1e6, 1) + " M parameters; " +
         std::to_string(units) + " units, " + significant(flops / 1e12) + " TFLOP\n";
}

std::string layer_header(std::int64_t n_layer) {
  std::string text = "tokens at layers";
  for (const std::size_t layer : shown_layers(n_layer)) {
    text += ' ';
    text += std::to_string(layer);
  }
  return text;
}

std::string data_lines(const ModelPlan& model) {
  std::string text;
  for (const TaskRun& run : model.tasks) {
    std::vector<std::int64_t> lengths;
    for (const ContextGroup& group : run.task.groups) lengths.push_back(group.context_length());
    text += "  " + task_name(run.task.prompts) + ": " + std::to_string(lengths.size()) +
            " contexts of " + std::to_string(mean_length(lengths)) + " tokens on average\n";
    for (const std::string& note : run.task.prompts.notes) text += "    " + note + "\n";
  }
  if (!model.perplexity) return text;
  const PerplexityRun& run = model.perplexity->run;
  const std::string books =
      run.books.empty() ? "" : " of " + std::to_string(text_size(run).books) + " books";
  return text + "  " + std::to_string(run.windows.size()) + " windows" + books + ", " +
         std::to_string(run.size.score) + " scored tokens each; a unit has up to " +
         std::to_string(run.batch) + " windows with all contexts and methods\n";
}

}  // namespace

std::string sweep_plan_table(const SweepConfig& config, const SweepPlan& plan,
                             const SweepRun& run) {
  std::string text = config.title + "\n";
  for (const std::string& note : plan.notes) text += "note: " + note + "\n";
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& model = plan.models[m];
    Table table;
    table.add_column("data", Table::Align::kLeft);
    table.add_column("method", Table::Align::kLeft);
    for (const char* header : {"r", "GFLOP in all", "of dense", "matches"}) {
      table.add_column(header);
    }
    table.add_column(layer_header(model.model->shape->n_layer()));
    table.add_column("units");
    for (std::size_t t = 0; t < model.tasks.size(); ++t) {
      if (t > 0) table.add_gap();
      add_task_rows(model, model.tasks[t], table);
    }
    if (model.perplexity) {
      if (!model.tasks.empty()) table.add_gap();
      add_perplexity_rows(model, table);
    }
    text += '\n';
    text += model_line(model, run.unit_count(m)) + data_lines(model) + '\n' + table.text();
  }
  return text +
         "\ntokens: of a context of average length; FLOPs with scores, continuations and "
         "head\n" +
         std::to_string(run.units().count) + " units of work in all; nothing was computed\n";
}

std::string sweep_tables(const SweepPlan& plan, const std::vector<ModelScores>& scores) {
  std::string text;
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& model = plan.models[m];
    if (m > 0) text += '\n';
    text += model.model->name() + "\n\n";
    if (!model.tasks.empty()) text += task_table(model.tasks, scores[m].task_summaries);
    if (!model.perplexity) continue;
    if (!model.tasks.empty()) text += "\n";
    text += perplexity_table(model.perplexity->run, scores[m].perplexity,
                             scores[m].perplexity_summaries);
  }
  return text;
}

}  // namespace simba::eval
