#include "eval/arguments/sweep_options.h"

#include <CLI/CLI.hpp>

#include "eval/arguments/output_options.h"
#include "eval/arguments/threads_option.h"

namespace simba::eval {

void add_sweep_options(CLI::App& command, SweepOptions& options) {
  command
      .add_option("config", options.config,
                  "the sweep: models, tasks, books and methods (TOML; see configs/paper)")
      ->required();
  command.add_option("--data", options.data,
                     "folder of the benchmarks' files and of the books that the sweep names");
  command.add_option("--models", options.models,
                     "folder of checkpoint folders, each with the name of a model");
  command.add_option("--tokenizer", options.tokenizer,
                     "tokenizer file for models that have none beside their weights");
  command.add_option("--configs", options.configs,
                     "folder with tasks/NAME.toml and models/NAME/config.json (default: "
                     "../share/simba/configs seen from the folder of this program)");
  command
      .add_option("--limit", options.limit,
                  "only the first documents of each task, and no more windows than that")
      ->check(CLI::PositiveNumber);
  command.add_option("--dtype", options.dtype, "float32, float64, bfloat16 or float16")
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu, cuda or cuda:INDEX")->capture_default_str();
  add_threads_option(command, options.threads);
  command
      .add_option("--batch-tokens", options.batch_tokens,
                  "tokens of a task computed at once; changes no result on a CPU in float32, "
                  "float64 and bfloat16")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--batch", options.batch,
                  "windows read at once; changes no result on a CPU in float32, float64 and "
                  "bfloat16")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_output_options(command, options.out, options.force, options.resume);
  command
      .add_flag("--dry-run", options.dry_run,
                "print the plan, with budgets solved, and compute nothing; needs no weights")
      ->excludes(command.get_option("--out"));
}

}  // namespace simba::eval
