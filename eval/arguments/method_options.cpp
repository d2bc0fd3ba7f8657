#include "eval/arguments/method_options.h"

#include <CLI/CLI.hpp>

namespace simba::eval {

void add_method_options(CLI::App& command, MethodOptions& options) {
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
  command.add_option("--seed", options.seed, "of everything that is drawn at random")
      ->capture_default_str();
  command.add_flag("--match-flops", options.match_flops,
                   "add the dense model on a truncated context of each row's FLOPs");
}

}  // namespace simba::eval
