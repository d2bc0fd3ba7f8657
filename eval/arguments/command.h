// What simba-eval was asked for. Nothing here needs LibTorch: reading a command line must not load
// it.
#pragma once

#include <string>
#include <variant>

#include "eval/arguments/inspect_model_options.h"
#include "eval/arguments/perplexity_options.h"
#include "eval/arguments/sweep_options.h"
#include "eval/arguments/tasks_options.h"
#include "eval/arguments/tokenize_options.h"

namespace simba::eval {

using Command = std::variant<PerplexityOptions, TasksOptions, SweepOptions, InspectModelOptions,
                             TokenizeOptions>;

// Adds the subcommands to the program. Parsing puts the one that is named into `command`, which
// must outlive it.
void add_commands(CLI::App& app, Command& command);

}  // namespace simba::eval
