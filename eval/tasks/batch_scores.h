// Computes one batch of context groups under one plan: prefill once, then every continuation from a
// copy of the state.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "csrc/model/language_model.h"
#include "eval/overlap.h"
#include "eval/tasks/context_groups.h"
#include "eval/tasks/metrics.h"

namespace simba::eval {

struct BatchItem {
  const ContextGroup* group;
  std::int64_t length;  // the context's newest tokens that are read
};

struct BatchScores {
  std::vector<ContinuationScore> continuations;  // item after item
  CutCounts overlap;                             // empty under a dense plan
  double seconds = 0;
};

// On a CPU a continuation's score depends neither on the other items nor on their order.
BatchScores score_batch(LanguageModel& model, const PruningPlan& plan,
                        const std::vector<BatchItem>& items);

// As a record of a journal: every number comes back exactly, those that are not finite too.
nlohmann::ordered_json to_record(const BatchScores& scores);
BatchScores from_record(const nlohmann::ordered_json& record);

}  // namespace simba::eval
