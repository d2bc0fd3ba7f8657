// What one batch of windows leaves in the journal:
//   {"rows": [{"nll": [...], "kl": [...], "same_top": [...],      one per window
//              "overlap": [[layer, kept, recent], ...],           counts of the batch
//              "seconds": [prefill, continuation]}, ...]}
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "eval/perplexity/perplexity_run.h"

namespace simba::eval {

nlohmann::ordered_json batch_record(const std::vector<RowScores>& rows);
std::vector<RowScores> read_batch_record(const nlohmann::ordered_json& record);

// Puts the windows of `batch` after those of `sum`, and adds up the rest.
void add_scores(const RowScores& batch, RowScores& sum);

}  // namespace simba::eval
