#include "eval/perplexity/perplexity_results.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/options.h"
#include "eval/run/run_info.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json file_json(const FileHash& file) { return {{"file", file.name}, {"sha256", file.sha256}}; }

Json settings_json(const PerplexitySettings& settings, const PerplexityRun& run) {
  Json weights = Json::array();
  for (const FileHash& file : settings.weights) weights.push_back(file_json(file));
  Json retentions = Json::array();
  for (const Retention& retention : settings.methods.retentions) {
    retentions.push_back(retention.value());
  }
  Json schedules = Json::array();
  for (const Schedule& schedule : settings.methods.schedules) schedules.push_back(schedule.text());
  return {{"model", {{"config", Json::parse(settings.model_config)}, {"weights", weights}}},
          {"tokenizer", file_json(settings.tokenizer)},
          {"contexts", settings.contexts},
          {"score", run.size.score},
          {"windows", {{"placed", settings.windows}, {"count", run.windows.size()}}},
          {"retention", retentions},
          {"criterion", settings.methods.criteria},
          {"decay", settings.methods.decays},
          {"reduction", settings.methods.reductions},
          {"schedule", schedules},
          {"seed", settings.methods.seed},
          {"match_flops", settings.match_flops},
          {"dtype", dtype_name(settings.dtype)},
          {"device", at::DeviceTypeName(settings.device, /*lower_case=*/true)}};
}

Json books_json(const PerplexityRun& run, const std::vector<std::size_t>& too_short) {
  std::vector<std::int64_t> windows(run.books.size());
  for (const Window& window : run.windows) ++windows[window.book];
  Json books = Json::array();
  for (std::size_t b = 0; b < run.books.size(); ++b) {
    const Book& book = run.books[b];
    const bool left_out = std::find(too_short.begin(), too_short.end(), b) != too_short.end();
    books.push_back({{"name", book.name},
                     {"sha256", book.sha256},
                     {"ids", book.length()},
                     {"words", book.words},
                     {"windows", windows[b]},
                     {"too_short", left_out}});
  }
  return books;
}

Json windows_json(const PerplexityRun& run) {
  Json windows = Json::array();
  for (const Window& window : run.windows) {
    windows.push_back({run.books[window.book].name, window.start});
  }
  return windows;
}

Json flops_json(const FlopCount& flops, const FlopShares& share) {
  return {{"prefill", flops.prefill},
          {"scores", flops.scores},
          {"continuation", flops.continuation},
          {"head", flops.head},
          {"total", flops.total()},
          {"share_of_dense",
           {{"prefill", share.prefill},
            {"prefill_with_scores", share.prefill_with_scores},
            {"total", share.total}}}};
}

Json overlap_json(const RowScores& scores, const RowSummary& summary) {
  if (scores.overlap.empty()) return {};
  Json layers = Json::array();
  Json overlaps = Json::array();
  for (const auto& [layer, cut] : scores.overlap) {
    layers.push_back(layer);
    overlaps.push_back(cut.overlap());
  }
  return {{"mean", or_null(summary.overlap_mean)},
          {"last_cut", or_null(summary.overlap_last_cut)},
          {"layers", layers},
          {"per_layer", overlaps}};
}

Json per_window_json(const PerplexityRun& run, const RowScores& scores) {
  Json nll = Json::array();
  Json kl = Json::array();
  Json same_top = Json::array();
  Json count = Json::array();
  for (const WindowScore& window : scores.windows) {
    nll.push_back(window.nll);
    count.push_back(run.size.score);
    kl.push_back(window.kl);
    same_top.push_back(window.same_top);
  }
  return {{"nll_sum", nll}, {"count", count}, {"kl_sum", kl}, {"same_top", same_top}};
}

Json row_json(const PerplexityRun& run, const Row& row, const RowScores& scores,
              const RowSummary& summary) {
  const Method& method = row.method;
  const bool dense = method.is_dense();
  Json matches = Json::array();
  for (const Match& match : row.matches) {
    matches.push_back({{"method", match.method}, {"flops", match.budget}});
  }
  return {{"criterion", method.criterion},
          {"decay", or_null(method.decay)},
          {"reduction", or_null(method.reduction)},
          {"retention", dense              ? Json(1)
                        : method.retention ? Json(method.retention->value())
                                           : Json()},
          {"schedule", or_null(method.schedule)},
          {"seed", or_null(method.seed)},
          {"context", row.context},
          {"tokens_read", row.length},
          {"matches", matches},
          {"perplexity", summary.perplexity},
          {"perplexity_per_word", summary.perplexity_per_word},
          {"mean_nll", summary.mean_nll},
          {"difference_to_dense",
           {{"mean", summary.difference.mean},
            {"standard_error", or_null(summary.difference.standard_error)}}},
          {"kl_from_dense", summary.kl},
          {"same_top", summary.same_top},
          {"tokens_per_layer", summary.tokens_per_layer},
          {"overlap_with_recent", overlap_json(scores, summary)},
          {"flops", flops_json(row.flops, summary.share)},
          {"per_window", per_window_json(run, scores)}};
}

}  // namespace

Json perplexity_journal_settings(const PerplexitySettings& settings, const PerplexityRun& run,
                                 const std::vector<std::size_t>& too_short) {
  Json rows = Json::array();
  for (const Row& row : run.rows) {
    rows.push_back(
        {{"method", row.method.name()}, {"context", row.context}, {"tokens_read", row.length}});
  }
  Json json = settings_json(settings, run);
  json["batch"] = run.batch;
  json["books"] = books_json(run, too_short);
  json["placed_windows"] = windows_json(run);
  json["rows"] = rows;
  json["computed_by"] = computed_by_json();
  return json;
}

Json perplexity_results(const PerplexitySettings& settings, const PerplexityRun& run,
                        const std::vector<std::size_t>& too_short,
                        const std::vector<RowScores>& scores,
                        const std::vector<RowSummary>& summaries) {
  const TextSize text = text_size(run);
  Json rows = Json::array();
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    rows.push_back(row_json(run, run.rows[r], scores[r], summaries[r]));
  }
  return {{"format", "simba-eval perplexity 1"},
          {"settings", settings_json(settings, run)},
          {"text", {{"books", text.books}, {"tokens", text.tokens}, {"words", text.words}}},
          {"books", books_json(run, too_short)},
          {"windows", windows_json(run)},
          {"rows", rows}};
}

}  // namespace simba::eval
