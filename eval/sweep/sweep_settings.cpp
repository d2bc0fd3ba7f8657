#include "eval/sweep/sweep_settings.h"

#include <nlohmann/json.hpp>

#include "eval/options.h"
#include "eval/perplexity/perplexity_results.h"
#include "eval/run/run_info.h"
#include "eval/tasks/task_results.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

Json file_json(const FileHash& file) { return {{"file", file.name}, {"sha256", file.sha256}}; }

Json methods_json(const SweepMethods& methods) {
  Json json = task_methods_json({methods.grid, methods.budgets, methods.truncated});
  if (!methods.match.empty()) {
    json.erase("retention");
    json["match"] = methods.match;
  }
  if (!methods.models.empty()) json["models"] = methods.models;
  return json;
}

// As a run of `simba-eval perplexity` says it.
Json perplexity_settings(const PerplexityPlan& plan) {
  PerplexitySettings settings;
  settings.model_config = "{}";
  settings.windows = "spread";
  return perplexity_journal_settings(settings, plan.run, plan.too_short);
}

Json rows_json(const ModelPlan& plan) {
  Json rows = Json::array();
  for (const TaskRun& run : plan.tasks) {
    for (const TaskRow& row : run.rows) {
      rows.push_back({{"task", run.task.prompts.config.name},
                      {"shots", run.task.prompts.settings.shots},
                      {"method", row.method.name()},
                      {"flops", row.flops.total()}});
    }
  }
  if (!plan.perplexity) return rows;
  for (const Row& row : plan.perplexity->run.rows) {
    rows.push_back(
        {{"context", row.context}, {"method", row.method.name()}, {"tokens_read", row.length}});
  }
  return rows;
}

}  // namespace

Json sweep_settings_json(const SweepSettings& settings, const SweepPlan& plan) {
  const SweepConfig& config = *settings.config;
  Json methods = Json::array();
  for (const SweepMethods& block : config.methods) methods.push_back(methods_json(block));
  Json tasks = Json::array();
  for (const TaskRun& run : plan.models.front().tasks) {
    tasks.push_back(task_settings_json(run.task));
  }
  Json json = {{"title", config.title},
               {"sweep", {{"file", config.file}, {"sha256", config.sha256}}},
               {"tasks", tasks}};
  if (config.perplexity) {
    const PerplexityRun& run = plan.models.front().perplexity->run;
    json["contexts"] = config.perplexity->contexts;
    json["score"] = run.size.score;
    json["windows"] = {{"placed", "spread"}, {"count", run.windows.size()}};
    // All models cut the books as the first one does.
    json["tokenizer"] = file_json(settings.models.front().tokenizer);
  }
  json["methods"] = methods;
  json["dtype"] = dtype_name(settings.dtype);
  json["device"] = at::DeviceTypeName(settings.device, /*lower_case=*/true);
  return json;
}

Json sweep_models_json(const SweepSettings& settings, const SweepPlan& plan) {
  Json models = Json::array();
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const FoundModel& model = *plan.models[m].model;
    const ModelFiles& files = settings.models[m];
    Json weights = Json::array();
    for (const FileHash& file : files.weights) weights.push_back(file_json(file));
    models.push_back({{"name", model.name()},
                      {"family", model.shape->family()},
                      {"parameters", model.shape->parameters()},
                      {"config", Json::parse(files.config)},
                      {"weights", weights},
                      {"tokenizer", file_json(files.tokenizer)}});
  }
  return models;
}

Json sweep_windows_json(const SweepPlan& plan) {
  const ModelPlan& first = plan.models.front();
  if (!first.perplexity) return Json::object();
  const Json json = perplexity_settings(*first.perplexity);
  const TextSize text = text_size(first.perplexity->run);
  return {{"text", {{"books", text.books}, {"tokens", text.tokens}, {"words", text.words}}},
          {"books", json.at("books")},
          {"windows", json.at("placed_windows")}};
}

Json sweep_journal_settings(const SweepSettings& settings, const SweepPlan& plan,
                            const BatchSizes& sizes) {
  Json rows = Json::object();
  for (const ModelPlan& model : plan.models) rows[model.model->name()] = rows_json(model);
  Json json = {{"settings", sweep_settings_json(settings, plan)},
               {"models", sweep_models_json(settings, plan)},
               {"batch_tokens", sizes.tokens},
               {"batch", sizes.windows},
               {"rows", rows}};
  json.update(sweep_windows_json(plan));
  json["computed_by"] = computed_by_json();
  return json;
}

}  // namespace simba::eval
