// What a sweep's numbers depend on, as JSON.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/run/model_files.h"
#include "eval/sweep/sweep_plan.h"

namespace simba::eval {

// What one model was read from.
struct ModelFiles {
  std::string config;  // the text of config.json
  std::vector<FileHash> weights;
  FileHash tokenizer;
};

struct SweepSettings {
  const SweepConfig* config;
  std::vector<ModelFiles> models;  // in the plan's order
  at::ScalarType dtype;
  at::DeviceType device;
};

// "settings" of results.json.
nlohmann::ordered_json sweep_settings_json(const SweepSettings& settings, const SweepPlan& plan);

// "models" of results.json.
nlohmann::ordered_json sweep_models_json(const SweepSettings& settings, const SweepPlan& plan);

// What the journal is bound to: all of the above, every row, and what a unit is.
nlohmann::ordered_json sweep_journal_settings(const SweepSettings& settings, const SweepPlan& plan,
                                              const BatchSizes& sizes);

// "text", "books" and "windows" of results.json, which are the same for every model; empty without
// books.
nlohmann::ordered_json sweep_windows_json(const SweepPlan& plan);

}  // namespace simba::eval
