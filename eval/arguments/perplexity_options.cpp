#include "eval/arguments/perplexity_options.h"

#include <CLI/CLI.hpp>

#include "eval/arguments/output_options.h"
#include "eval/arguments/threads_option.h"

namespace simba::eval {

void add_perplexity_options(CLI::App& command, PerplexityOptions& options) {
  command.add_option("--model", options.model, "checkpoint folder")->required();
  command.add_option("--tokenizer", options.tokenizer,
                     "tokenizer file (default: the one beside the weights)");
  command.add_option("--data", options.data, "a text file, or a folder of *.txt")->required();
  command.add_option("--context", options.context, "tokens of context, comma list")
      ->capture_default_str();
  command.add_option("--score", options.score, "scored tokens after each context")
      ->capture_default_str();
  CLI::Option* windows =
      command
          .add_option("--windows", options.windows,
                      "number of windows over all books, or a file of lines 'book start'")
          ->capture_default_str();
  command
      .add_option("--windows-per-book", options.windows_per_book,
                  "at most this many windows in every book, at a stride of its own")
      ->check(CLI::PositiveNumber)
      ->excludes(windows);
  add_method_options(command, options.methods);
  command.add_option("--dtype", options.dtype, "float32, float64, bfloat16 or float16")
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu, cuda or cuda:INDEX")->capture_default_str();
  add_threads_option(command, options.threads);
  command
      .add_option("--batch", options.batch,
                  "windows read at once; changes no result on a CPU in float32, float64 and "
                  "bfloat16")
      ->capture_default_str();
  add_output_options(command, options.out, options.force, options.resume);
}

}  // namespace simba::eval
