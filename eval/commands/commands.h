// The subcommands of simba-eval. Each adds itself to the program and runs when it is named.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// Perplexity of documents after their context was pruned.
void add_perplexity(CLI::App& app, const std::string& command_line);

// Accuracy on benchmarks after their context was pruned.
void add_tasks(CLI::App& app, const std::string& command_line);

// Many models, tasks, books and methods from one file.
void add_sweep(CLI::App& app, const std::string& command_line);

// What a checkpoint folder holds, and what reading a context with it costs.
void add_inspect_model(CLI::App& app);

// Text to ids and back.
void add_tokenize(CLI::App& app);

}  // namespace simba::eval
