#include "eval/perplexity/perplexity_run.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <utility>

#include "eval/perplexity/batch_record.h"
#include "eval/scoring.h"

namespace simba::eval {
namespace {

class Stopwatch {
 public:
  // Seconds since the last lap, or since the start.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Batch {
 public:
  Batch(const PerplexityRun& run, std::span<const Window> windows) : run_(run), windows_(windows) {}

  std::int64_t size() const { return static_cast<std::int64_t>(windows_.size()); }

  // The `length` tokens before the scored ones, of every window.
  PackedTokens contexts(std::int64_t length) const {
    PackedTokens tokens;
    for (const Window& window : windows_) tokens.append(scored(window) - length, length);
    return tokens;
  }

  // All scored tokens but the last, whose prediction nobody reads.
  PackedTokens continuations() const {
    PackedTokens tokens;
    for (const Window& window : windows_) tokens.append(scored(window), run_.size.score - 1);
    return tokens;
  }

  std::int64_t target(std::int64_t window, std::int64_t token) const {
    return scored(windows_[static_cast<std::size_t>(window)])[token];
  }

  std::vector<std::int64_t> documents() const {
    std::vector<std::int64_t> documents;
    for (const Window& window : windows_) {
      documents.push_back(window_document(run_.books[window.book], window));
    }
    return documents;
  }

 private:
  const std::int64_t* scored(const Window& window) const {
    return run_.books[window.book].ids.data() + window.start + run_.size.context;
  }

  const PerplexityRun& run_;
  std::span<const Window> windows_;
};

// Predictions of the scored tokens, window by window: S * K rows.
Predictions predict(LanguageModel& model, const Batch& batch, std::int64_t score, const Row& row,
                    RowScores& scores) {
  RecentOverlap overlap(model.n_layer());
  const bool drops = !row.method.plan.is_dense();
  const PruningPlan plan =
      drops ? row.method.plan.with_documents(batch.documents()) : row.method.plan;
  Stopwatch watch;
  const Prefill prefill =
      model.prefill(batch.contexts(row.length), plan, drops ? &overlap : nullptr);
  // The copy also waits for a device that computes in the background.
  const at::Tensor first = prefill.last_logits.to(at::kCPU).unsqueeze(1);
  scores.prefill_seconds += watch.lap();
  at::Tensor logits = first;
  if (score > 1) {
    const at::Tensor rest = model.extend(*prefill.state, batch.continuations()).to(at::kCPU);
    logits = at::cat({first, rest.reshape({batch.size(), score - 1, rest.size(-1)})}, 1);
    scores.continuation_seconds += watch.lap();
  }
  overlap.add_to(scores.overlap);
  return Predictions(logits.flatten(0, 1));
}

void score_windows(const Batch& batch, std::int64_t score, const Predictions& base,
                   const Predictions& predictions, std::vector<WindowScore>& windows) {
  const bool is_base = &base == &predictions;
  const std::vector<double> kl = is_base ? std::vector<double>() : base.kl_divergence(predictions);
  for (std::int64_t s = 0; s < batch.size(); ++s) {
    WindowScore sum;
    for (std::int64_t k = 0; k < score; ++k) {
      const std::int64_t row = s * score + k;
      sum.nll += predictions.nll(row, batch.target(s, k));
      if (!is_base) sum.kl += kl[static_cast<std::size_t>(row)];
      sum.same_top += predictions.top(row) == base.top(row);
    }
    windows.push_back(sum);
  }
}

std::vector<RowScores> score_batch(LanguageModel& model, const PerplexityRun& run,
                                   const Batch& batch, const OnUnitStep& on_step) {
  double work = 0;
  for (const Row& row : run.rows) work += row.flops.total();
  std::vector<RowScores> scores(run.rows.size());
  Predictions base;
  std::int64_t base_context = -1;
  double done = 0;
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    const Row& row = run.rows[r];
    on_step(done / work, row.method.label() + " at context " + std::to_string(row.context));
    Predictions predictions = predict(model, batch, run.size.score, row, scores[r]);
    done += row.flops.total();
    if (row.method.is_dense()) {
      base = std::move(predictions);
      base_context = row.context;
      score_windows(batch, run.size.score, base, base, scores[r].windows);
      continue;
    }
    if (base_context != row.context) {
      throw std::logic_error("rows: the first of each context must be dense");
    }
    score_windows(batch, run.size.score, base, predictions, scores[r].windows);
  }
  return scores;
}

// The windows of a unit.
std::span<const Window> windows_of(const PerplexityRun& run, std::size_t unit) {
  const auto batch = static_cast<std::size_t>(run.batch);
  const std::size_t first = unit * batch;
  return std::span(run.windows).subspan(first, std::min(batch, run.windows.size() - first));
}

std::string describe_windows(const PerplexityRun& run, std::size_t unit) {
  const std::size_t first = unit * static_cast<std::size_t>(run.batch) + 1;
  return "windows " + std::to_string(first) + " to " +
         std::to_string(first + windows_of(run, unit).size() - 1);
}

}  // namespace

Units perplexity_units(LanguageModel& model, const PerplexityRun& run) {
  const auto batch = static_cast<std::size_t>(run.batch);
  double per_window = 0;
  for (const Row& row : run.rows) {
    per_window += row.flops.total() / static_cast<double>(run.windows.size());
  }
  Units units;
  units.count = (run.windows.size() + batch - 1) / batch;
  units.compute = [&model, &run](std::size_t unit, const OnUnitStep& on_step) {
    return batch_record(score_batch(model, run, Batch(run, windows_of(run, unit)), on_step));
  };
  units.describe = [&run](std::size_t unit) { return describe_windows(run, unit); };
  units.cost = [&run, per_window](std::size_t unit) {
    return per_window * static_cast<double>(windows_of(run, unit).size());
  };
  return units;
}

std::vector<RowScores> merge_records(const PerplexityRun& run,
                                     const std::vector<nlohmann::ordered_json>& records) {
  std::vector<RowScores> scores(run.rows.size());
  for (const nlohmann::ordered_json& record : records) {
    const std::vector<RowScores> batch = read_batch_record(record);
    for (std::size_t r = 0; r < scores.size(); ++r) add_scores(batch.at(r), scores[r]);
  }
  return scores;
}

}  // namespace simba::eval
