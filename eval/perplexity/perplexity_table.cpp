#include "eval/perplexity/perplexity_table.h"

#include <algorithm>
#include <cmath>

#include "eval/text/table.h"

namespace simba::eval {
namespace {

constexpr auto kAbsent = "-";

std::string flops_cell(double run_flops, double share, std::size_t windows) {
  return significant(run_flops / 1e9 / static_cast<double>(windows)) + " (" + percent(share) + ")";
}

std::string difference_cell(const Row& row, const PairedDifference& difference) {
  if (row.method.is_dense()) return kAbsent;
  std::string text = difference.mean < 0 ? "" : "+";
  text += fixed(difference.mean, 4);
  if (difference.standard_error) text += " ± " + fixed(*difference.standard_error, 4);
  return text;
}

std::string tokens_cell(const std::vector<std::int64_t>& tokens) {
  std::string text = std::to_string(tokens.front());
  if (tokens.back() != tokens.front()) text += ".." + std::to_string(tokens.back());
  return text;
}

std::string overlap_cell(const RowSummary& summary) {
  if (!summary.overlap_mean) return kAbsent;
  return fixed(*summary.overlap_mean, 3) + " / " + fixed(*summary.overlap_last_cut, 3);
}

// Which rows a truncated row spends as much as, and how nearly.
std::string matched_line(const Row& row, std::size_t windows) {
  if (row.matches.empty()) return "";
  return "truncated to " + std::to_string(row.length) + " of " + std::to_string(row.context) +
         " tokens: " + significant(row.flops.total() / 1e9 / static_cast<double>(windows)) +
         " GFLOP per window in all, within " +
         fixed(100 * farthest_match(row.matches, row.flops.total()), 2) + " % of " +
         match_names(row.matches) + "\n";
}

}  // namespace

std::string perplexity_table(const PerplexityRun& run, const std::vector<RowScores>& scores,
                             const std::vector<RowSummary>& summaries) {
  Table table;
  table.add_column("method", Table::Align::kLeft);
  for (const char* header :
       {"r", "context", "perplexity", "per word", "nll - dense", "prefill GFLOP", "with scores",
        "in all", "tokens/layer", "overlap", "KL", "same top", "prefill s", "wall s"}) {
    table.add_column(header);
  }
  std::string matched;
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    const Row& row = run.rows[r];
    const RowSummary& summary = summaries[r];
    if (r > 0 && row.method.is_dense()) table.add_gap();
    const bool dense = row.method.is_dense();
    const std::size_t windows = run.windows.size();
    table.add_row(
        {row.method.label(),
         row.method.retention ? row.method.retention->text()
         : dense              ? "1"
                              : kAbsent,
         std::to_string(row.context), fixed(summary.perplexity, 3),
         fixed(summary.perplexity_per_word, 2), difference_cell(row, summary.difference),
         flops_cell(row.flops.prefill, summary.share.prefill, windows),
         flops_cell(row.flops.prefill_with_scores(), summary.share.prefill_with_scores, windows),
         flops_cell(row.flops.total(), summary.share.total, windows),
         tokens_cell(summary.tokens_per_layer), overlap_cell(summary),
         dense ? kAbsent : fixed(summary.kl, 4), dense ? kAbsent : percent(summary.same_top),
         fixed(scores[r].prefill_seconds, 1),
         fixed(scores[r].prefill_seconds + scores[r].continuation_seconds, 1)});
    matched += matched_line(row, windows);
  }
  const TextSize text = text_size(run);
  const std::string summary_line = std::to_string(run.windows.size()) + " windows of " +
                                   std::to_string(text.books) +
                                   (text.books == 1 ? " book, " : " books, ") +
                                   std::to_string(run.size.score) + " scored tokens each\n\n";
  const std::string legend =
      "\nnll - dense: paired difference in nats per token"
      " ± standard error clustered by book; GFLOP per window (share of dense at the same\n"
      "context): prefill, with influence scores, with continuation and head; overlap with recent:"
      " mean over the layers that drop / last cut;\nKL(dense || method) in nats per token\n";
  return summary_line + table.text() + legend + matched;
}

}  // namespace simba::eval
