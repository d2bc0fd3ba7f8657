// Runs every row on every window: batches of windows outside, rows inside, so that a window's dense
// predictions, the base of KL and of the same-top rate, are computed once and soon dropped.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "csrc/model/language_model.h"
#include "eval/overlap.h"
#include "eval/perplexity/books.h"
#include "eval/perplexity/rows.h"
#include "eval/perplexity/windows.h"
#include "eval/run/units.h"

namespace simba::eval {

// Sums over the scored tokens of one window, in nats.
struct WindowScore {
  double nll = 0;
  double kl = 0;              // KL(dense at the same context || this row)
  std::int64_t same_top = 0;  // tokens whose most likely prediction is the dense one's
};

// One row on some windows: a batch's, or all of the run.
struct RowScores {
  std::vector<WindowScore> windows;  // in the order of the run's windows
  CutCounts overlap;                 // empty for rows that drop nothing
  // As measured by whichever process computed a batch, and added up.
  double prefill_seconds = 0;
  double continuation_seconds = 0;  // with the copy of logits to the host, without scoring
};

struct PerplexityRun {
  std::vector<Book> books;
  std::vector<Window> windows;
  WindowSize size;
  std::vector<Row> rows;   // make_rows: of each context the dense row comes first
  std::int64_t batch = 1;  // windows per prefill; without influence on any score
};

// The run as units of work: unit b is batch b of the windows, with all rows. Its record is of
// batch_record(). Both must outlive the result.
Units perplexity_units(LanguageModel& model, const PerplexityRun& run);

// The scores of the whole run from the records of all units, in order: one RowScores per row.
std::vector<RowScores> merge_records(const PerplexityRun& run,
                                     const std::vector<nlohmann::ordered_json>& records);

}  // namespace simba::eval
