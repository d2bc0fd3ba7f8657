#include "eval/arguments/tasks_options.h"

#include <CLI/CLI.hpp>

#include "eval/arguments/output_options.h"
#include "eval/arguments/threads_option.h"

namespace simba::eval {

void add_tasks_options(CLI::App& command, TasksOptions& options) {
  command.add_option("--model", options.model, "checkpoint folder")->required();
  command.add_option("--tokenizer", options.tokenizer,
                     "tokenizer file (default: the one beside the weights)");
  command
      .add_option("--data", options.data,
                  "folder of the benchmarks' files; each task's TOML says under which names")
      ->required();
  command
      .add_option("--tasks", options.tasks,
                  "comma list of names, found as NAME.toml in the folder of --configs, or of files "
                  "FILE.toml")
      ->capture_default_str();
  command.add_option("--configs", options.configs,
                     "folder of task files (default: ../share/simba/configs/tasks seen from the "
                     "folder of this program)");
  command.add_option("--shots", options.shots, "answered examples before each question")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--fewshot", options.fewshot,
                  "which examples: first_n of the file, or seeded (drawn for each document)")
      ->capture_default_str();
  command.add_option("--limit", options.limit, "only the first documents of each task")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--max-length", options.max_length,
                  "longest input in tokens; longer contexts lose their oldest")
      ->capture_default_str();
  add_method_options(command, options.methods);
  command
      .add_option("--budget", options.budget,
                  "instead of --retention: solve for it, given a share of dense's FLOPs (0.6) or a "
                  "number of FLOPs of a task's whole run (12.3GFLOP), comma list")
      ->excludes(command.get_option("--retention"));
  command.add_option("--dtype", options.dtype, "float32, float64, bfloat16 or float16")
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu, cuda or cuda:INDEX")->capture_default_str();
  add_threads_option(command, options.threads);
  command
      .add_option("--batch-tokens", options.batch_tokens,
                  "tokens computed at once; changes no result on a CPU in float32, float64 and "
                  "bfloat16")
      ->capture_default_str();
  add_output_options(command, options.out, options.force, options.resume);
}

}  // namespace simba::eval
