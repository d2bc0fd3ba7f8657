// results.json of `simba-eval sweep`. Equal settings on equal files give equal bytes: no times, no
// host, no folders, no threads, no batch.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "eval/sweep/sweep_run.h"
#include "eval/sweep/sweep_settings.h"

namespace simba::eval {

// scores: of each model of the plan.
nlohmann::ordered_json sweep_results(const SweepSettings& settings, const SweepPlan& plan,
                                     const std::vector<ModelScores>& scores);

// "row_seconds" of run.json, as the processes that computed the units measured them.
nlohmann::ordered_json sweep_seconds_json(const SweepPlan& plan,
                                          const std::vector<ModelScores>& scores);

}  // namespace simba::eval
