// The loop, its summary and its results on a fake model.
#include "eval/perplexity/perplexity_run.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/perplexity/perplexity_results.h"
#include "eval/perplexity/perplexity_table.h"
#include "eval/run/interrupt.h"
#include "eval/scoring.h"
#include "eval/text/json_text.h"
#include "tests/cpp/eval/fake_model.h"

namespace simba::eval {
namespace {

constexpr std::int64_t kScore = 5;

std::vector<Book> make_books() {
  std::vector<std::int64_t> first(300, 1);
  std::vector<std::int64_t> second(260, 1);
  for (std::size_t i = 1; i < first.size(); ++i) first[i] = (i * i + 3) % 21;
  for (std::size_t i = 1; i < second.size(); ++i) second[i] = (i * 5 + i * i * i) % 22;
  return {{"first", first, 60, "h1"}, {"second", second, 50, "h2"}, {"short", {1, 2}, 1, "h3"}};
}

MethodGrid make_grid() {
  MethodGrid grid;
  grid.criteria = {"recent", "spaced", "random"};
  grid.decays = {"no_bias"};
  grid.reductions = {"max"};
  grid.retentions = {Retention::parse("0.2")};
  grid.schedules = {Schedule()};
  return grid;
}

PerplexityRun make_run(std::int64_t batch, std::int64_t windows = 7) {
  PerplexityRun run;
  run.books = make_books();
  run.size = {128, kScore};
  run.windows = spread_windows(run.books, run.size, windows).windows;
  run.batch = batch;
  const FakeModel model;
  const RunShape shape{static_cast<std::int64_t>(run.windows.size()), kScore};
  run.rows = with_matched_flops(
      model, make_rows(model, expand_methods(make_grid()), {128, 100}, shape), shape);
  return run;
}

std::vector<nlohmann::ordered_json> records_of(const PerplexityRun& run) {
  FakeModel model;
  const Units units = perplexity_units(model, run);
  std::vector<nlohmann::ordered_json> records;
  for (std::size_t unit = 0; unit < units.count; ++unit) {
    records.push_back(units.compute(unit, [](double, const std::string&) {}));
  }
  return records;
}

std::vector<RowScores> scores_of(const PerplexityRun& run) {
  return merge_records(run, records_of(run));
}

std::string results_of(const PerplexityRun& run) {
  const std::vector<RowScores> scores = scores_of(run);
  PerplexitySettings settings;
  settings.model_config = R"({"d_model": 8})";
  settings.weights = {{"w.bin", "00"}};
  settings.tokenizer = {"t.model", "11"};
  settings.windows = "spread";
  settings.contexts = {128, 100};
  settings.methods = make_grid();
  settings.match_flops = true;
  return json_text(
      perplexity_results(settings, run, {2}, scores, summarize(run, scores, FakeModel::kLayers)));
}

TEST(PerplexityRun, ScoresTheTokensAfterTheContext) {
  const PerplexityRun run = make_run(3);
  const std::vector<RowScores> scores = scores_of(run);
  FakeModel model;
  for (std::size_t w = 0; w < run.windows.size(); ++w) {
    const Window& window = run.windows[w];
    const std::vector<std::int64_t>& ids = run.books[window.book].ids;
    const std::int64_t* end = ids.data() + window.start + run.size.context;
    for (std::size_t r = 0; r < run.rows.size(); ++r) {
      if (!run.rows[r].method.plan.is_dense()) continue;
      // Dense and truncated dense: feed the tokens one by one.
      PackedTokens context;
      context.append(end - run.rows[r].length, run.rows[r].length);
      Prefill prefill = model.prefill(context, PruningPlan::dense(), nullptr);
      double nll = Predictions(prefill.last_logits).nll(0, end[0]);
      for (std::int64_t k = 1; k < kScore; ++k) {
        const PackedTokens one{{end[k - 1]}, {1}};
        nll += Predictions(model.extend(*prefill.state, one, nullptr)).nll(0, end[k]);
      }
      EXPECT_DOUBLE_EQ(scores[r].windows[w].nll, nll);
    }
  }
}

TEST(PerplexityRun, DenseIsItsOwnBase) {
  const PerplexityRun run = make_run(2);
  const std::vector<RowScores> scores = scores_of(run);
  const std::vector<RowSummary> summaries = summarize(run, scores, FakeModel::kLayers);
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    const bool dense = run.rows[r].method.is_dense();
    EXPECT_EQ(summaries[r].kl == 0, dense);
    EXPECT_EQ(summaries[r].difference.mean == 0, dense);
    EXPECT_EQ(summaries[r].overlap_mean.has_value(), !run.rows[r].method.plan.is_dense());
    if (dense) {
      EXPECT_EQ(summaries[r].same_top, 1);
      EXPECT_EQ(summaries[r].share.total, 1);
    } else {
      EXPECT_LT(summaries[r].share.total, 1);
    }
  }
}

TEST(PerplexityRun, SummaryByHand) {
  const PerplexityRun run = make_run(4);
  std::vector<RowScores> scores = scores_of(run);
  for (WindowScore& window : scores[0].windows) window = {kScore * 1.0, 0, kScore};
  for (WindowScore& window : scores[1].windows) window = {kScore * 1.5, kScore * 0.25, 2};
  const std::vector<RowSummary> summaries = summarize(run, scores, FakeModel::kLayers);
  EXPECT_DOUBLE_EQ(summaries[1].perplexity, std::exp(1.5));
  // Two books with windows: 299 + 259 tokens, 60 + 50 words.
  EXPECT_DOUBLE_EQ(summaries[1].perplexity_per_word, std::exp(1.5 * 558 / 110));
  EXPECT_DOUBLE_EQ(summaries[1].difference.mean, 0.5);
  EXPECT_NEAR(summaries[1].difference.standard_error.value(), 0, 1e-15);
  EXPECT_DOUBLE_EQ(summaries[1].kl, 0.25);
  EXPECT_DOUBLE_EQ(summaries[1].same_top, 2.0 / kScore);
}

TEST(PerplexityRun, ResultsDependNeitherOnBatchNorOnThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const std::string one = results_of(make_run(1));
  at::set_num_threads(3);
  const std::string many = results_of(make_run(7));
  at::set_num_threads(threads);
  EXPECT_EQ(one, many);
  EXPECT_EQ(one, results_of(make_run(4)));
}

TEST(PerplexityRun, AWindowIsTheSameWhateverElseIsRun) {
  // Of 1 window and of 7 the first is the same: random draws by window, not by number.
  const std::vector<RowScores> alone = scores_of(make_run(1, 1));
  const std::vector<RowScores> among = scores_of(make_run(7, 7));
  for (std::size_t r = 0; r < 4; ++r) {
    EXPECT_EQ(alone[r].windows[0].nll, among[r].windows[0].nll);
  }
  // The second book begins with window 0 too, and draws otherwise.
  PerplexityRun twins = make_run(2, 2);
  twins.books[1].ids = twins.books[0].ids;
  const std::vector<RowScores> scores = scores_of(twins);
  EXPECT_EQ(scores[2].windows[0].nll, scores[2].windows[1].nll);  // spaced
  EXPECT_NE(scores[3].windows[0].nll, scores[3].windows[1].nll);  // random
}

TEST(PerplexityRun, UnitsAreBatchesOfWindows) {
  const PerplexityRun run = make_run(3);
  FakeModel model;
  const Units units = perplexity_units(model, run);
  ASSERT_EQ(units.count, 3u);
  EXPECT_EQ(units.describe(1), "windows 4 to 6");
  EXPECT_EQ(units.describe(2), "windows 7 to 7");
  double cost = 0;
  for (const Row& row : run.rows) cost += row.flops.total();
  EXPECT_NEAR(units.cost(0) + units.cost(1) + units.cost(2), cost, 1e-9 * cost);
  EXPECT_DOUBLE_EQ(units.cost(0), 3 * units.cost(2));
}

TEST(PerplexityRun, AUnitSaysItsStepsAndCanBeLeftAtEach) {
  const PerplexityRun run = make_run(7);
  FakeModel model;
  const Units units = perplexity_units(model, run);
  std::vector<double> done;
  units.compute(0, [&](double share, const std::string&) { done.push_back(share); });
  ASSERT_EQ(done.size(), run.rows.size());
  EXPECT_EQ(done.front(), 0);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_LT(done.back(), 1);
  EXPECT_THROW(units.compute(0, [](double, const std::string&) { throw Interrupted(); }),
               Interrupted);
}

TEST(PerplexityRun, RowsMustBeginDense) {
  PerplexityRun run = make_run(2);
  run.rows.erase(run.rows.begin());
  EXPECT_THROW(scores_of(run), std::logic_error);
}

TEST(PerplexityRun, ResultsHoldEveryWindowAndRow) {
  const PerplexityRun run = make_run(2);
  const auto results = nlohmann::ordered_json::parse(results_of(run));
  EXPECT_EQ(results["windows"].size(), 7u);
  EXPECT_EQ(results["windows"][4], nlohmann::ordered_json({"second", 0}));
  EXPECT_EQ(results["rows"].size(), run.rows.size());
  EXPECT_EQ(results["books"][2]["too_short"], true);
  for (const auto& row : results["rows"]) {
    EXPECT_EQ(row["per_window"]["nll_sum"].size(), 7u);
    EXPECT_EQ(row["per_window"]["count"][6], kScore);
    EXPECT_NEAR(std::log(row["perplexity"].get<double>()), row["mean_nll"].get<double>(), 1e-12);
  }
  EXPECT_EQ(results["rows"][3]["criterion"], "random");
  EXPECT_EQ(results["rows"][3]["seed"], 0);
  EXPECT_EQ(results["rows"][3]["retention"], 0.2);
  EXPECT_TRUE(results["rows"][3]["decay"].is_null());
  EXPECT_EQ(results["rows"][4]["criterion"], "truncated");
  EXPECT_EQ(results["rows"][4]["matches"].size(), 3u);
}

TEST(PerplexityRun, TheTableHasALinePerRow) {
  const PerplexityRun run = make_run(2);
  const std::vector<RowScores> scores = scores_of(run);
  const std::string text =
      perplexity_table(run, scores, summarize(run, scores, FakeModel::kLayers));
  EXPECT_EQ(text.find("7 windows of 2 books, 5 scored tokens each"), 0u);
  EXPECT_NE(text.find("128..26"), std::string::npos) << text;
  EXPECT_NE(text.find("1.000 / 1.000"), std::string::npos) << text;
  EXPECT_NE(text.find("truncated to 77 of 128 tokens"), std::string::npos) << text;
}

}  // namespace
}  // namespace simba::eval
