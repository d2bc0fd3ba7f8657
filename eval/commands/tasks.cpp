#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/commands/tasks_request.h"
#include "eval/options.h"
#include "eval/run/finish_run.h"
#include "eval/run/journal.h"
#include "eval/run/log.h"
#include "eval/run/model_files.h"
#include "eval/run/output_folder.h"
#include "eval/run/processes.h"
#include "eval/run/run_info.h"
#include "eval/tasks/task_results.h"
#include "eval/tasks/task_table.h"
#include "eval/text/file_name.h"
#include "eval/text/read_file.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void check_max_length(const TasksOptions& options, const ModelShape& shape) {
  if (!shape.max_length() || options.max_length <= *shape.max_length()) return;
  throw InputError("--max-length: expected at most the model's " +
                   std::to_string(*shape.max_length()) + ", got " +
                   std::to_string(options.max_length));
}

// Whatever can be wrong with data, options or budgets is found here, before a weight is read.
std::vector<TaskRun> make_runs(const TasksOptions& options, const TasksRequest& request,
                               const ModelShape& shape, const Tokenizer& tokenizer) {
  check_max_length(options, shape);
  std::vector<TaskRun> runs;
  for (const TaskConfig& config : request.tasks) {
    TaskPrompts prompts = read_prompts(config, options.data, request.prompts);
    EncodedTask task =
        encode_task(std::move(prompts), tokenizer, shape.vocab_size(), options.max_length);
    try {
      std::vector<TaskRow> rows =
          make_task_rows(shape, task.groups, request.methods, options.batch_tokens);
      runs.push_back({std::move(task), std::move(rows)});
    } catch (const InputError& error) {
      throw InputError("task " + config.name + ": " + error.what());
    }
  }
  return runs;
}

Json file_json(const FileHash& file) { return {{"file", file.name}, {"sha256", file.sha256}}; }

struct ModelFiles {
  std::string name;
  std::string family;
  std::string config;  // the text of config.json
  std::vector<FileHash> weights;
  FileHash tokenizer;
};

Json model_json(const ModelFiles& model, const ModelShape& shape) {
  Json weights = Json::array();
  for (const FileHash& file : model.weights) weights.push_back(file_json(file));
  return {{"name", model.name},
          {"family", model.family},
          {"parameters", shape.parameters()},
          {"config", Json::parse(model.config)},
          {"weights", weights},
          {"tokenizer", file_json(model.tokenizer)}};
}

Json settings_json(const TasksRequest& request, const std::vector<TaskRun>& runs,
                   at::DeviceType device) {
  Json tasks = Json::array();
  for (const TaskRun& run : runs) tasks.push_back(task_settings_json(run.task));
  return {{"tasks", tasks},
          {"methods", task_methods_json(request.methods)},
          {"dtype", dtype_name(request.dtype)},
          {"device", at::DeviceTypeName(device, /*lower_case=*/true)}};
}

// Everything that can change a number or what a unit is.
Json journal_settings(const Json& settings, const Json& models, const std::vector<TaskRun>& runs,
                      std::int64_t batch_tokens) {
  Json rows = Json::array();
  for (const TaskRun& run : runs) {
    for (const TaskRow& row : run.rows) {
      rows.push_back({{"task", run.task.prompts.config.name},
                      {"method", row.method.name()},
                      {"flops", row.flops.total()}});
    }
  }
  // Units are batches: another size makes others of them.
  return {{"settings", settings},
          {"models", models},
          {"batch_tokens", batch_tokens},
          {"rows", rows},
          {"computed_by", computed_by_json()}};
}

Json run_json(const RunInfo& info, const TasksOptions& options, const std::vector<TaskRun>& runs,
              const std::vector<std::vector<TaskRowScores>>& scores) {
  Json json = run_info_json(info);
  json["batch_tokens"] = options.batch_tokens;
  Json& seconds = json["row_seconds"] = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t r = 0; r < runs[i].rows.size(); ++r) {
      seconds.push_back({{"task", runs[i].task.prompts.config.name},
                         {"method", runs[i].rows[r].method.name()},
                         {"seconds", scores[i][r].seconds}});
    }
  }
  return json;
}

void warn_not_finite(const TaskRun& run, const std::vector<TaskRowSummary>& summaries) {
  for (std::size_t r = 0; r < summaries.size(); ++r) {
    if (summaries[r].finite) continue;
    log_warning(run.task.prompts.config.name + ": " + run.rows[r].method.label() +
                ": log-likelihoods are not finite");
  }
}

// The folder's own name, whatever the path ends in.
std::string model_name(const std::string& model_dir) {
  const fs::path path = fs::absolute(fs::path(model_dir) / "").lexically_normal();
  return file_name(path.parent_path());
}

}  // namespace

void run(const TasksOptions& options, const std::string& command_line) {
  const at::NoGradGuard no_grad;
  RunInfo info;
  const ProcessPlace place = find_process_place();
  const std::string device_text = local_device(options.device, place);
  const at::Device device = parse_device(device_text);
  const TasksRequest request = check_options(options);
  Processes processes(place);
  processes.choose_threads(options.threads);
  std::optional<OutputFolder> out;
  if (!options.out.empty() && processes.is_first()) {
    out.emplace(options.out, options.force, options.resume);
  }

  const std::string model_dir = find_model_dir(options.model);
  info.tokenizer = tokenizer_path(options.tokenizer, model_dir);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(info.tokenizer);
  const std::unique_ptr<ModelShape> shape = load_shape(model_dir);
  const std::vector<TaskRun> runs = make_runs(options, request, *shape, *tokenizer);

  // Hashing gigabytes of weights takes seconds: they pass while the model is loaded.
  std::future<std::vector<FileHash>> weights;
  if (out || !processes.is_alone()) {
    weights = std::async(std::launch::async, hash_weights, model_dir);
  }
  const std::unique_ptr<LanguageModel> model = load_model(model_dir, request.dtype, device);
  ModelFiles files{model_name(model_dir),
                   shape->family(),
                   read_file((fs::path(model_dir) / "config.json").string()),
                   {},
                   hash_file(info.tokenizer)};
  if (weights.valid()) files.weights = weights.get();
  const Json settings = settings_json(request, runs, device.type());
  const Json models = Json::array({model_json(files, *shape)});
  const Json bound = journal_settings(settings, models, runs, options.batch_tokens);
  processes.agree(bound);

  const Units units = task_units(runs, [&model](std::size_t) -> LanguageModel& { return *model; });
  std::optional<Journal> journal;
  if (out) journal.emplace(*out, bound, units.count);
  const std::vector<Json> records = run_units(units, journal ? &*journal : nullptr, processes);
  if (!processes.is_first()) return;

  const std::vector<std::vector<TaskRowScores>> scores = collect_scores(runs, records);
  std::vector<std::vector<TaskRowSummary>> summaries;
  std::vector<TaskResult> results;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    summaries.push_back(summarize_task(runs[i], scores[i]));
    warn_not_finite(runs[i], summaries[i]);
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    results.push_back({files.name, &runs[i], &scores[i], &summaries[i]});
  }
  std::cout << task_table(runs, summaries) << std::flush;
  if (!out) return;

  info.command_line = command_line;
  info.model = options.model;
  info.data = options.data;
  info.device = device_text;
  info.processes = processes.count();
  finish_run(*out, *journal, run_json(info, options, runs, scores),
             {{"format", "simba-eval tasks 1"},
              {"settings", settings},
              {"models", models},
              {"rows", task_rows_json(results)},
              {"documents", task_documents_json(results)}});
}

}  // namespace simba::eval
