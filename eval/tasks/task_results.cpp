#include "eval/tasks/task_results.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json method_json(const Method& method) {
  Json json = {{"criterion", method.criterion}};
  if (method.decay) json["decay"] = *method.decay;
  if (method.reduction) json["reduction"] = *method.reduction;
  if (method.retention) json["retention"] = method.retention->text();
  if (method.schedule) json["schedule"] = *method.schedule;
  if (method.seed) json["seed"] = *method.seed;
  return json;
}

// Unlike Method::name(), which all truncated rows share.
std::string row_name(const TaskRow& row) {
  if (row.matches.empty()) return row.method.name();
  return "truncated to the FLOPs of " + row.matches.front().method;
}

Json row_json(const TaskResult& result, std::size_t r) {
  const TaskPrompts& prompts = result.run->task.prompts;
  const TaskRow& row = result.run->rows[r];
  const TaskRowSummary& summary = (*result.summaries)[r];
  Json json = {{"model", result.model},           {"task", prompts.config.name},
               {"shots", prompts.settings.shots}, {"method", method_json(row.method)},
               {"name", row_name(row)},           {"label", row.method.label()}};
  if (!row.matches.empty()) {
    Json& matched = json["matched"] = Json::array();
    for (const Match& match : row.matches) matched.push_back(match.method);
  }
  if (row.budget) json["budget"] = {{"asked", row.budget->text}, {"flops", row.budget->flops}};
  json["documents"] = result.run->task.documents();
  Json& metrics = json["metrics"];
  for (std::size_t m = 0; m < summary.metrics.size(); ++m) {
    metrics[metric_name(prompts.config.metrics[m])] = {
        {"value", summary.metrics[m].value},
        {"standard_error", or_null(summary.metrics[m].standard_error)}};
  }
  json["primary_metric"] = metric_name(prompts.config.primary);
  if (summary.difference) {
    json["difference"] = {{"value", summary.difference->mean},
                          {"standard_error", or_null(summary.difference->standard_error)}};
  }
  json["flops"] = {{"prefill", row.flops.prefill},
                   {"scores", row.flops.scores},
                   {"continuation", row.flops.continuation},
                   {"head", row.flops.head},
                   {"total", row.flops.total()}};
  json["flops_share"] = summary.flops_share;
  if (summary.overlap_mean) {
    json["overlap_with_recent"] = {{"mean", *summary.overlap_mean},
                                   {"last_cut", *summary.overlap_last_cut}};
  }
  return json;
}

std::string task_key(const TaskPrompts& prompts) {
  if (prompts.settings.shots == 0) return prompts.config.name;
  return prompts.config.name + ", " + std::to_string(prompts.settings.shots) + "-shot";
}

// The path's folders say where somebody's data lies, not what it is.
std::string without_folders(const std::string& where) {
  return where.substr(where.find_last_of('/') + 1);
}

Json document_json(const TaskPrompts& prompts, const Example& example) {
  Json json = {{"line", without_folders(example.where)}};
  if (prompts.config.kind != TaskKind::kTarget) {
    Json characters = Json::array();
    Json bytes = Json::array();
    for (const std::string& choice : example.choices) {
      characters.push_back(character_count(choice));
      bytes.push_back(choice.size());
    }
    json["gold"] = example.gold;
    json["characters"] = characters;
    json["bytes"] = bytes;
  }
  json["log_likelihoods"] = Json::array();
  json["greedy"] = Json::array();
  return json;
}

void add_scores(const std::vector<ContinuationScore>& scores, Json& document) {
  Json likelihoods = Json::array();
  Json greedy = Json::array();
  for (const ContinuationScore& score : scores) {
    likelihoods.push_back(score.log_likelihood);
    greedy.push_back(score.greedy);
  }
  document["log_likelihoods"].push_back(std::move(likelihoods));
  document["greedy"].push_back(std::move(greedy));
}

Json files_json(const std::vector<FileHash>& files) {
  Json json = Json::array();
  for (const FileHash& file : files) json.push_back({{"file", file.name}, {"sha256", file.sha256}});
  return json;
}

}  // namespace

Json task_rows_json(const std::vector<TaskResult>& results) {
  Json rows = Json::array();
  for (const TaskResult& result : results) {
    for (std::size_t r = 0; r < result.run->rows.size(); ++r) rows.push_back(row_json(result, r));
  }
  return rows;
}

Json task_documents_json(const std::vector<TaskResult>& results) {
  Json tasks = Json::object();
  for (const TaskResult& result : results) {
    const TaskPrompts& prompts = result.run->task.prompts;
    Json& documents = tasks[task_key(prompts)];
    if (documents.is_null()) {
      documents = Json::array();
      for (const Example& example : prompts.examples) {
        documents.push_back(document_json(prompts, example));
      }
    }
    for (const TaskRowScores& row : *result.scores) {
      for (std::size_t d = 0; d < row.documents.size(); ++d) {
        add_scores(row.documents[d], documents[d]);
      }
    }
  }
  return tasks;
}

Json task_settings_json(const EncodedTask& task) {
  const TaskPrompts& prompts = task.prompts;
  Json json = {{"task", prompts.config.name},
               {"config_sha256", prompts.config.sha256},
               {"files", files_json(prompts.files)},
               {"shots", prompts.settings.shots}};
  if (prompts.settings.shots > 0) {
    json["few_shot"] = {{"sampling", sampling_name(prompts.settings.sampling)},
                        {"seed", prompts.settings.seed},
                        {"files", files_json(prompts.few_shot_files)}};
  }
  json["limit"] = or_null(prompts.settings.limit);
  json["max_length"] = task.max_length;
  json["notes"] = prompts.notes;
  return json;
}

Json task_methods_json(const TaskMethods& methods) {
  Json retentions = Json::array();
  Json budgets = Json::array();
  Json schedules = Json::array();
  for (const Retention& retention : methods.grid.retentions) retentions.push_back(retention.text());
  for (const Budget& budget : methods.budgets) budgets.push_back(budget.text);
  for (const Schedule& schedule : methods.grid.schedules) schedules.push_back(schedule.text());
  Json json = {{"criterion", methods.grid.criteria},
               {"decay", methods.grid.decays},
               {"reduction", methods.grid.reductions},
               {"schedule", schedules},
               {"seed", methods.grid.seed},
               {"match_flops", methods.match_flops}};
  if (methods.budgets.empty()) {
    json["retention"] = retentions;
  } else {
    json["budget"] = budgets;
  }
  return json;
}

}  // namespace simba::eval
