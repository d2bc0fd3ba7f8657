// A sweep as its TOML file describes it: models x (tasks, perplexity) x methods. docs:
// docs/evaluation.md, "Sweeps".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/budget_option.h"
#include "eval/methods.h"
#include "eval/tasks/prompts.h"

namespace simba::eval {

struct SweepModel {
  std::string name;        // in tables and results; the folder's name under --models
  std::string checkpoint;  // a folder or a hub id, where --models has none of that name
  std::string shape;       // the folder of configs/models that has the model's shape
  std::string where;       // "FILE:LINE"
};

struct SweepTask {
  std::string task;  // a name or a file, as `--tasks` takes it
  PromptSettings prompts;
  std::int64_t max_length = 2048;
  std::string where;
};

struct SweepPerplexity {
  std::string text;  // a file or a folder of *.txt under --data, or beside the sweep's file
  std::vector<std::int64_t> contexts;
  std::int64_t score = 64;
  std::int64_t windows = 64;
  std::string where;

  std::int64_t longest_context() const;
};

// One [[methods]]: criteria, options and schedules multiplied, at retentions or at budgets.
struct SweepMethods {
  MethodGrid grid;                  // its retentions are not used where there are budgets
  std::vector<Budget> budgets;      // of each run
  std::vector<std::string> match;   // models whose dense run on the same items is a budget
  bool truncated = false;           // also dense on a truncated context, at each row's FLOPs
  std::vector<std::string> models;  // empty: every model that can be pruned
  std::string where;

  bool has_budgets() const { return !budgets.empty() || !match.empty(); }
};

struct SweepConfig {
  std::string title;
  std::string file;    // its name without folders
  std::string folder;  // that it lies in
  std::string sha256;  // of the file
  std::vector<SweepModel> models;
  std::vector<SweepTask> tasks;
  std::optional<SweepPerplexity> perplexity;
  std::vector<SweepMethods> methods;  // dense is there without them
};

// Throws InputError naming the file's line on anything that the file alone can tell.
SweepConfig read_sweep_config(const std::string& path);

}  // namespace simba::eval
