// All that a sweep will compute, known before anything is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/perplexity/perplexity_run.h"
#include "eval/sweep/found_model.h"
#include "eval/sweep/sweep_inputs.h"
#include "eval/tasks/task_run.h"

namespace simba::eval {

struct PerplexityPlan {
  PerplexityRun run;
  std::vector<std::optional<SolvedBudget>> budgets;  // of each row
  std::vector<std::size_t> too_short;                // books without a window
};

struct ModelPlan {
  const FoundModel* model;
  std::vector<TaskRun> tasks;
  std::optional<PerplexityPlan> perplexity;
};

struct SweepPlan {
  std::vector<ModelPlan> models;
  std::vector<std::string> notes;  // where lengths are nominal, and why
};

struct BatchSizes {
  std::int64_t tokens = 4096;  // of a task's batch
  std::int64_t windows = 4;    // of a batch of windows
};

// limit: at most so many windows. Without data or a model's tokenizer, for a plan alone, tasks have
// nominal lengths and windows no place. `models` must outlive the plan. Throws InputError, naming
// the line of the sweep's file, on whatever can be known to be wrong: texts longer than a model
// reads, budgets out of reach, tokenizers that cut the books differently.
SweepPlan make_sweep_plan(const SweepConfig& config, const std::vector<FoundModel>& models,
                          SweepTexts& texts, const BatchSizes& sizes,
                          std::optional<std::int64_t> limit);

}  // namespace simba::eval
