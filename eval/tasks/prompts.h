// A task's questions as texts: everything that is known before a tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/run/model_files.h"
#include "eval/tasks/few_shot.h"
#include "eval/tasks/requests.h"

namespace simba::eval {

struct PromptSettings {
  std::int64_t shots = 0;
  Sampling sampling = Sampling::kFirstN;
  std::int64_t seed = 0;
  std::optional<std::int64_t> limit;  // only the first documents
};

struct TaskPrompts {
  TaskConfig config;
  PromptSettings settings;
  std::vector<FileHash> files;           // the documents
  std::vector<FileHash> few_shot_files;  // empty without shots
  std::vector<std::string> notes;        // of the sources
  std::vector<Example> examples;
  std::vector<std::vector<Request>> requests;  // of each example
};

// Reads the task's files under the folder `data`. Throws InputError, with file and line, on
// anything wrong in them.
TaskPrompts read_prompts(const TaskConfig& config, const std::string& data,
                         const PromptSettings& settings);

}  // namespace simba::eval
