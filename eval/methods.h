// The methods of a run: criterion x decay x reduction x retention x schedule, each once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csrc/model/pruning_plan.h"

namespace simba::eval {

// How a context is read, with every setting that has an influence on it; the others are empty.
struct Method {
  std::string criterion = "dense";  // dense, truncated, or a name of criterion_names()
  std::optional<std::string> decay;
  std::optional<std::string> reduction;
  std::optional<Retention> retention;
  std::optional<std::string> schedule;
  std::optional<std::int64_t> seed;
  PruningPlan plan = PruningPlan::dense();

  bool is_dense() const { return criterion == "dense"; }
  std::string name() const;  // "dense", or the plan's name
  // For a table, without the retention: "influence no_bias max", "random", ...
  std::string label() const;
};

struct MethodGrid {
  std::vector<std::string> criteria;
  std::vector<std::string> decays;
  std::vector<std::string> reductions;
  std::vector<Retention> retentions;
  std::vector<Schedule> schedules;
  std::int64_t seed = 0;
};

// Dense first, whether or not 1 is among the retentions: it is the base of every comparison. Decay
// and reduction multiply `influence` alone, retentions the schedules that use them. Throws
// InputError on an unknown name.
std::vector<Method> expand_methods(const MethodGrid& grid);

}  // namespace simba::eval
