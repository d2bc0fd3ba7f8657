// Runs every row on every window: batches of windows outside, rows inside, so that a window's dense
// predictions, the base of KL and of the same-top rate, are computed once and soon dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "csrc/model/language_model.h"
#include "eval/perplexity/books.h"
#include "eval/perplexity/overlap.h"
#include "eval/perplexity/rows.h"
#include "eval/perplexity/windows.h"

namespace simba::eval {

// Sums over the scored tokens of one window, in nats.
struct WindowScore {
  double nll = 0;
  double kl = 0;              // KL(dense at the same context || this row)
  std::int64_t same_top = 0;  // tokens whose most likely prediction is the dense one's
};

struct RowScores {
  std::vector<WindowScore> windows;  // in the order of the run's windows
  CutCounts overlap;                 // empty for rows that drop nothing
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

// Called before each row of each batch with what is about to run.
using OnStep = std::function<void(const Row& row, std::size_t first_window, std::size_t windows)>;

// One RowScores per row. Throws Interrupted between rows.
std::vector<RowScores> run_perplexity(LanguageModel& model, const PerplexityRun& run,
                                      const OnStep& on_step);

}  // namespace simba::eval
