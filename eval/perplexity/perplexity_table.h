// The table that `simba-eval perplexity` prints.
#pragma once

#include <string>
#include <vector>

#include "eval/perplexity/perplexity_summary.h"

namespace simba::eval {

std::string perplexity_table(const PerplexityRun& run, const std::vector<RowScores>& scores,
                             const std::vector<RowSummary>& summaries);

}  // namespace simba::eval
