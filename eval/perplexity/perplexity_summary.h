// The figures of each row of a perplexity run: what the table prints and results.json holds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eval/perplexity/perplexity_run.h"
#include "eval/statistics.h"

namespace simba::eval {

// Words and tokens of the books that have windows; the document start is no token of the text.
struct TextSize {
  std::int64_t books = 0;
  std::int64_t tokens = 0;
  std::int64_t words = 0;
};

TextSize text_size(const PerplexityRun& run);

struct FlopShares {  // of dense at the same context, each total against the same total
  double prefill;
  double prefill_with_scores;
  double total;
};

struct RowSummary {
  double mean_nll;
  double perplexity;
  double perplexity_per_word;
  PairedDifference difference;  // to dense at the same context, clustered by book
  double kl;                    // mean per token
  double same_top;              // rate
  std::vector<std::int64_t> tokens_per_layer;
  std::optional<double> overlap_mean;  // over the layers that drop
  std::optional<double> overlap_last_cut;
  FlopShares share;
};

// One summary per row.
std::vector<RowSummary> summarize(const PerplexityRun& run, const std::vector<RowScores>& scores,
                                  std::int64_t n_layer);

}  // namespace simba::eval
