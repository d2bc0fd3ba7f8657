#include "eval/commands/method_grid.h"

#include <cctype>
#include <string>
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
