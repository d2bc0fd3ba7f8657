#include "eval/perplexity/perplexity_summary.h"

#include <set>

namespace simba::eval {
namespace {

std::vector<double> nll_sums(const RowScores& scores) {
  std::vector<double> sums;
  for (const WindowScore& window : scores.windows) sums.push_back(window.nll);
  return sums;
}

RowSummary summarize_row(const PerplexityRun& run, const TextSize& text, const Row& row,
                         const RowScores& scores, const Row& dense, const RowScores& dense_scores,
                         std::int64_t n_layer) {
  const auto tokens =
      static_cast<double>(run.size.score * static_cast<std::int64_t>(run.windows.size()));
  std::vector<std::size_t> books;
  for (const Window& window : run.windows) books.push_back(window.book);
  WindowScore sum;
  for (const WindowScore& window : scores.windows) {
    sum.nll += window.nll;
    sum.kl += window.kl;
    sum.same_top += window.same_top;
  }
  RowSummary summary;
  summary.mean_nll = sum.nll / tokens;
  summary.perplexity = perplexity(summary.mean_nll);
  summary.perplexity_per_word = perplexity_per_word(summary.mean_nll, text.tokens, text.words);
  summary.difference =
      paired_difference(nll_sums(scores), nll_sums(dense_scores),
                        std::vector<std::int64_t>(run.windows.size(), run.size.score), books);
  summary.kl = sum.kl / tokens;
  summary.same_top = static_cast<double>(sum.same_top) / tokens;
  summary.tokens_per_layer = row.method.plan.tokens_per_layer(row.length, n_layer);
  if (!scores.overlap.empty()) {
    summary.overlap_mean = mean_overlap(scores.overlap);
    summary.overlap_last_cut = scores.overlap.rbegin()->second.overlap();
  }
  summary.share = {row.flops.prefill / dense.flops.prefill,
                   row.flops.prefill_with_scores() / dense.flops.prefill_with_scores(),
                   row.flops.total() / dense.flops.total()};
  return summary;
}

}  // namespace

TextSize text_size(const PerplexityRun& run) {
  std::set<std::size_t> used;
  for (const Window& window : run.windows) used.insert(window.book);
  TextSize text;
  for (const std::size_t book : used) {
    ++text.books;
    text.tokens += run.books[book].length() - 1;
    text.words += run.books[book].words;
  }
  return text;
}

std::vector<RowSummary> summarize(const PerplexityRun& run, const std::vector<RowScores>& scores,
                                  std::int64_t n_layer) {
  const TextSize text = text_size(run);
  std::vector<RowSummary> summaries;
  std::size_t dense = 0;
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    if (run.rows[r].method.is_dense()) dense = r;
    summaries.push_back(
        summarize_row(run, text, run.rows[r], scores[r], run.rows[dense], scores[dense], n_layer));
  }
  return summaries;
}

}  // namespace simba::eval
