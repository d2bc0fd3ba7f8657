// The commands of simba-eval, as they run. All throw InputError on what a user got wrong.
#pragma once

#include <string>

#include "eval/arguments/command.h"

namespace simba::eval {

// Perplexity of documents after their context was pruned.
void run(const PerplexityOptions& options, const std::string& command_line);

// Accuracy on benchmarks after their context was pruned.
void run(const TasksOptions& options, const std::string& command_line);

// Many models, tasks, books and methods from one file.
void run(const SweepOptions& options, const std::string& command_line);

// What a checkpoint folder holds, and what reading a context with it costs.
void run(const InspectModelOptions& options, const std::string& command_line);

// Text to ids and back.
void run(const TokenizeOptions& options, const std::string& command_line);

}  // namespace simba::eval
