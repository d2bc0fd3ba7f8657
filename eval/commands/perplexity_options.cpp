#include "eval/commands/perplexity_options.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <utility>

#include "eval/options.h"

namespace simba::eval {
namespace {

std::vector<Schedule> parse_schedules(const std::string& text) {
  // The commas inside "steps:12=0.5,18=0.25" belong to it: what follows one begins with a layer.
  std::vector<std::string> pieces;
  for (const std::string& piece : split_list("--schedule", text)) {
    const bool step = !pieces.empty() && std::isdigit(static_cast<unsigned char>(piece.front()));
    if (step) {
      pieces.back() += "," + piece;
    } else {
      pieces.push_back(piece);
    }
  }
  std::vector<Schedule> schedules;
  for (const std::string& piece : pieces) schedules.push_back(Schedule::parse(piece));
  return schedules;
}

}  // namespace

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
                  "at most this many windows in every book, at a common stride")
      ->check(CLI::PositiveNumber)
      ->excludes(windows);
  command
      .add_option("--retention", options.retention,
                  "share of tokens left at the last layer, comma list")
      ->capture_default_str();
  command
      .add_option("--criterion", options.criterion,
                  "comma list of influence, delta_norm, delta, recent, spaced, random")
      ->capture_default_str();
  command.add_option("--decay", options.decay, "influence: comma list of no_bias, full, none")
      ->capture_default_str();
  command
      .add_option("--reduction", options.reduction,
                  "influence: comma list of max, l2, l1, signed_max")
      ->capture_default_str();
  command
      .add_option("--schedule", options.schedule,
                  "comma list of linear, constant, steps:LAYER=FRACTION,...")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "of the random criterion")->capture_default_str();
  command.add_flag("--match-flops", options.match_flops,
                   "add the dense model on a truncated context of each row's FLOPs");
  command.add_option("--dtype", options.dtype, "float32, float64, bfloat16 or float16")
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu, cuda or cuda:INDEX")->capture_default_str();
  command.add_option("--threads", options.threads, "CPU threads (default: one per core)")
      ->check(CLI::PositiveNumber);
  command.add_option("--batch", options.batch, "windows read at once; changes no result")
      ->capture_default_str();
  command.add_option("--out", options.out, "folder for results.json and run.json");
  command.add_flag("--force", options.force, "replace a results.json that is there already");
}

PerplexityRequest check_options(const PerplexityOptions& options) {
  check_at_least("--score", options.score, 1);
  check_at_least("--batch", options.batch, 1);
  MethodGrid grid;
  grid.criteria = split_list("--criterion", options.criterion);
  grid.decays = split_list("--decay", options.decay);
  grid.reductions = split_list("--reduction", options.reduction);
  for (const std::string& text : split_list("--retention", options.retention)) {
    grid.retentions.push_back(Retention::parse(text));
  }
  grid.schedules = parse_schedules(options.schedule);
  grid.seed = options.seed;
  std::vector<Method> methods = expand_methods(grid);
  return {parse_counts("--context", options.context), std::move(grid), std::move(methods),
          parse_dtype(options.dtype), parse_device(options.device)};
}

}  // namespace simba::eval
