#include "eval/arguments/command.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace simba::eval {
namespace {

template <typename Options>
void add_command(CLI::App& app, Command& command, const std::string& name,
                 const std::string& description,
                 void (*add_options)(CLI::App& subcommand, Options& options)) {
  const auto options = std::make_shared<Options>();
  CLI::App* subcommand = app.add_subcommand(name, description);
  add_options(*subcommand, *options);
  subcommand->callback([options, &command] { command = *options; });
}

}  // namespace

void add_commands(CLI::App& app, Command& command) {
  add_command(app, command, "perplexity",
              "Perplexity of the tokens that follow a context, after the context was pruned",
              add_perplexity_options);
  add_command(app, command, "tasks",
              "Accuracy on benchmarks (LAMBADA, HellaSwag, PIQA, ARC, WinoGrande, ...) after the "
              "context was pruned",
              add_tasks_options);
  add_command(app, command, "sweep",
              "Models x tasks and books x methods, all from one file, at matched FLOPs",
              add_sweep_options);
  add_command(app, command, "inspect-model",
              "Configuration, tensors and counted FLOPs of a checkpoint folder",
              add_inspect_model_options);
  add_command(app, command, "tokenize", "Ids of a text, on one line; or with --decode its text",
              add_tokenize_options);
}

}  // namespace simba::eval
