#include "eval/commands/method_options.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <vector>

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

MethodGrid method_grid(const MethodOptions& options) {
  MethodGrid grid;
  grid.criteria = split_list("--criterion", options.criterion);
  grid.decays = split_list("--decay", options.decay);
  grid.reductions = split_list("--reduction", options.reduction);
  for (const std::string& text : split_list("--retention", options.retention)) {
    grid.retentions.push_back(Retention::parse(text));
  }
  grid.schedules = parse_schedules(options.schedule);
  grid.seed = options.seed;
  // Whatever is wrong with a name is found here rather than after the data was read.
  expand_methods(grid);
  return grid;
}

}  // namespace simba::eval
