#include "eval/arguments/output_options.h"

#include <CLI/CLI.hpp>

namespace simba::eval {

void add_output_options(CLI::App& command, std::string& out, bool& force, bool& resume) {
  const auto refuse_empty = [](const std::string& value) -> std::string {
    return value.empty() ? "expected a folder, got an empty value" : "";
  };
  CLI::Option* folder =
      command.add_option("--out", out, "folder for results.json, run.json and the journal")
          ->check(refuse_empty);
  CLI::Option* replace =
      command.add_flag("--force", force, "replace what an earlier run left in the folder");
  command
      .add_flag("--resume", resume,
                "go on with an unfinished run of the same settings, or begin one")
      ->needs(folder)
      ->excludes(replace);
}

}  // namespace simba::eval
