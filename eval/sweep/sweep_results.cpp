#include "eval/sweep/sweep_results.h"

#include <nlohmann/json.hpp>
#include <string>

#include "eval/perplexity/perplexity_results.h"
#include "eval/tasks/task_results.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

std::vector<TaskResult> task_results(const SweepPlan& plan,
                                     const std::vector<ModelScores>& scores) {
  std::vector<TaskResult> results;
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& model = plan.models[m];
    for (std::size_t t = 0; t < model.tasks.size(); ++t) {
      results.push_back({model.model->name(), &model.tasks[t], &scores[m].tasks[t],
                         &scores[m].task_summaries[t]});
    }
  }
  return results;
}

std::string row_name(const Row& row) {
  if (row.matches.empty()) return row.method.name();
  return "truncated to the FLOPs of " + row.matches.front().method;
}

// A model's rows as `simba-eval perplexity` writes them, each with its place in the sweep before.
void add_perplexity_rows(const ModelPlan& model, const ModelScores& scores, Json& rows) {
  const PerplexityPlan& plan = *model.perplexity;
  PerplexitySettings settings;
  settings.model_config = "{}";
  const Json whole = perplexity_results(settings, plan.run, plan.too_short, scores.perplexity,
                                        scores.perplexity_summaries);
  for (std::size_t r = 0; r < plan.run.rows.size(); ++r) {
    const Row& row = plan.run.rows[r];
    Json json = {
        {"model", model.model->name()}, {"name", row_name(row)}, {"label", row.method.label()}};
    if (plan.budgets[r]) {
      json["budget"] = {{"asked", plan.budgets[r]->text}, {"flops", plan.budgets[r]->flops}};
    }
    json.update(whole.at("rows").at(r));
    rows.push_back(std::move(json));
  }
}

}  // namespace

Json sweep_results(const SweepSettings& settings, const SweepPlan& plan,
                   const std::vector<ModelScores>& scores) {
  const std::vector<TaskResult> tasks = task_results(plan, scores);
  Json perplexity_rows = Json::array();
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    if (plan.models[m].perplexity) add_perplexity_rows(plan.models[m], scores[m], perplexity_rows);
  }
  Json json = {{"format", "simba-eval sweep 1"},
               {"settings", sweep_settings_json(settings, plan)},
               {"models", sweep_models_json(settings, plan)},
               {"rows", task_rows_json(tasks)},
               {"perplexity_rows", perplexity_rows}};
  json.update(sweep_windows_json(plan));
  json["documents"] = task_documents_json(tasks);
  return json;
}

Json sweep_seconds_json(const SweepPlan& plan, const std::vector<ModelScores>& scores) {
  Json seconds = Json::array();
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& model = plan.models[m];
    for (std::size_t t = 0; t < model.tasks.size(); ++t) {
      const TaskRun& run = model.tasks[t];
      for (std::size_t r = 0; r < run.rows.size(); ++r) {
        seconds.push_back({{"model", model.model->name()},
                           {"task", run.task.prompts.config.name},
                           {"shots", run.task.prompts.settings.shots},
                           {"method", run.rows[r].method.name()},
                           {"seconds", scores[m].tasks[t][r].seconds}});
      }
    }
    if (!model.perplexity) continue;
    const std::vector<Row>& rows = model.perplexity->run.rows;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      seconds.push_back({{"model", model.model->name()},
                         {"context", rows[r].context},
                         {"tokens_read", rows[r].length},
                         {"method", rows[r].method.name()},
                         {"prefill", scores[m].perplexity[r].prefill_seconds},
                         {"continuation", scores[m].perplexity[r].continuation_seconds}});
    }
  }
  return seconds;
}

}  // namespace simba::eval
