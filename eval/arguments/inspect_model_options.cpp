#include "eval/arguments/inspect_model_options.h"

#include <CLI/CLI.hpp>

namespace simba::eval {

void add_inspect_model_options(CLI::App& command, InspectModelOptions& options) {
  command.add_option("dir", options.dir, "checkpoint folder")->required();
}

}  // namespace simba::eval
