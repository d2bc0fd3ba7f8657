#include <ATen/core/grad_mode.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/options.h"
#include "eval/run/finish_run.h"
#include "eval/run/journal.h"
#include "eval/run/log.h"
#include "eval/run/output_folder.h"
#include "eval/run/processes.h"
#include "eval/run/run_info.h"
#include "eval/sweep/sweep_results.h"
#include "eval/sweep/sweep_tables.h"
#include "eval/tasks/task_catalog.h"
#include "eval/text/read_file.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string configs_folder(const SweepOptions& options) {
  if (!options.configs.empty()) return options.configs;
  return fs::path(default_task_folder()).parent_path().string();
}

ModelPlaces places_of(const SweepOptions& options) {
  return {options.models, configs_folder(options), options.tokenizer};
}

std::optional<std::int64_t> limit_of(const SweepOptions& options) {
  return options.limit > 0 ? std::optional(options.limit) : std::nullopt;
}

SweepTexts read_texts(const SweepConfig& config, const SweepOptions& options) {
  return {config, options.data, (fs::path(configs_folder(options)) / "tasks").string(),
          limit_of(options)};
}

SweepPlan plan_of(const SweepConfig& config, const std::vector<FoundModel>& models,
                  SweepTexts& texts, const SweepOptions& options) {
  return make_sweep_plan(config, models, texts, {options.batch_tokens, options.batch},
                         limit_of(options));
}

void print_plan(const SweepConfig& config, const SweepOptions& options) {
  std::vector<FoundModel> models;
  for (const SweepModel& model : config.models) {
    models.push_back(find_model_shape(model, places_of(options)));
  }
  SweepTexts texts = read_texts(config, options);
  const SweepPlan plan = plan_of(config, models, texts, options);
  ModelSlot slot(parse_dtype(options.dtype), at::kCPU);
  std::cout << sweep_plan_table(config, plan, SweepRun(plan, slot)) << std::flush;
}

ModelFiles files_of(const FoundModel& model) {
  return {read_file((fs::path(model.folder) / "config.json").string()), hash_weights(model.folder),
          hash_file(model.tokenizer)};
}

// Hashing gigabytes of weights takes long: last of all checks, and all models side by side.
std::vector<ModelFiles> hash_files(const std::vector<FoundModel>& models) {
  std::vector<std::future<ModelFiles>> hashes;
  for (const FoundModel& model : models) {
    hashes.push_back(std::async(std::launch::async, files_of, std::cref(model)));
  }
  std::vector<ModelFiles> files;
  for (std::future<ModelFiles>& hash : hashes) files.push_back(hash.get());
  return files;
}

void warn_not_finite(const SweepPlan& plan, const std::vector<ModelScores>& scores) {
  const auto warn = [](const std::string& where, const Method& method) {
    log_warning(where + ": " + method.label() + ": log-likelihoods are not finite");
  };
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& model = plan.models[m];
    for (std::size_t t = 0; t < model.tasks.size(); ++t) {
      const std::vector<TaskRowSummary>& rows = scores[m].task_summaries[t];
      for (std::size_t r = 0; r < rows.size(); ++r) {
        if (rows[r].finite) continue;
        warn(model.model->name() + ": " + model.tasks[t].task.prompts.config.name,
             model.tasks[t].rows[r].method);
      }
    }
    const std::vector<RowSummary>& rows = scores[m].perplexity_summaries;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (std::isfinite(rows[r].mean_nll)) continue;
      const Row& row = model.perplexity->run.rows[r];
      warn(model.model->name() + ": context " + std::to_string(row.context), row.method);
    }
  }
}

Json run_json(const RunInfo& info, const SweepOptions& options, const SweepPlan& plan,
              const std::vector<ModelScores>& scores) {
  Json json = run_info_json(info);
  json["batch_tokens"] = options.batch_tokens;
  json["paths"]["sweep"] = options.config;
  Json& models = json["paths"]["models"];
  for (const ModelPlan& model : plan.models) {
    models[model.model->name()] = {{"folder", model.model->folder},
                                   {"tokenizer", model.model->tokenizer}};
  }
  json["row_seconds"] = sweep_seconds_json(plan, scores);
  return json;
}

void compute(const SweepConfig& config, const SweepOptions& options,
             const std::string& command_line) {
  RunInfo info;
  const ProcessPlace place = find_process_place();
  const std::string device_text = local_device(options.device, place);
  const at::Device device = parse_device(device_text);
  const at::ScalarType dtype = parse_dtype(options.dtype);
  Processes processes(place);
  processes.choose_threads(options.threads);
  std::optional<OutputFolder> out;
  if (!options.out.empty() && processes.is_first()) {
    out.emplace(options.out, options.force, options.resume);
  }

  std::vector<FoundModel> models;
  for (const SweepModel& model : config.models) {
    models.push_back(find_model(model, places_of(options)));
  }
  if (options.data.empty()) {
    throw InputError("--data: expected a folder (without it, --dry-run prints the plan)");
  }
  SweepTexts texts = read_texts(config, options);
  const SweepPlan plan = plan_of(config, models, texts, options);
  for (const FoundModel& model : models) check_weights(model);

  const SweepSettings settings = {&config, hash_files(models), dtype, device.type()};
  const Json bound = sweep_journal_settings(settings, plan, {options.batch_tokens, options.batch});
  processes.agree(bound);
  ModelSlot slot(dtype, device);
  const SweepRun sweep(plan, slot);
  const Units units = sweep.units();
  std::optional<Journal> journal;
  if (out) journal.emplace(*out, bound, units.count);
  const std::vector<Json> records = run_units(units, journal ? &*journal : nullptr, processes);
  if (!processes.is_first()) return;

  const std::vector<ModelScores> scores = sweep.scores(records);
  warn_not_finite(plan, scores);
  std::cout << config.title << "\n\n" << sweep_tables(plan, scores) << std::flush;
  if (!out) return;
  info.command_line = command_line;
  info.data = options.data;
  info.tokenizer = options.tokenizer;
  info.device = device_text;
  info.batch = options.batch;
  info.processes = processes.count();
  finish_run(*out, *journal, run_json(info, options, plan, scores),
             sweep_results(settings, plan, scores));
}

}  // namespace

void run(const SweepOptions& options, const std::string& command_line) {
  const at::NoGradGuard no_grad;
  const SweepConfig config = read_sweep_config(options.config);
  if (options.dry_run) {
    print_plan(config, options);
  } else {
    compute(config, options, command_line);
  }
}

}  // namespace simba::eval
