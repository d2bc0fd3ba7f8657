// What a sweep prints: its plan, and its figures.
#pragma once

#include <string>
#include <vector>

#include "eval/sweep/sweep_run.h"

namespace simba::eval {

// Every row with its FLOPs and the tokens that enter some of the layers, model by model, and how
// many units of work they make.
std::string sweep_plan_table(const SweepConfig& config, const SweepPlan& plan, const SweepRun& run);

// The tables of `simba-eval tasks` and `simba-eval perplexity`, model by model.
std::string sweep_tables(const SweepPlan& plan, const std::vector<ModelScores>& scores);

}  // namespace simba::eval
