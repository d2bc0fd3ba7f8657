// From files to scores: on a fake model, and on the demo's real one where bits matter.
#include "eval/tasks/task_run.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "csrc/checkpoint/load_model.h"
#include "eval/scoring.h"
#include "eval/tasks/task_results.h"
#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/eval/tasks/task_runs.h"

namespace simba::eval {
namespace {

using test::grid_of;
using test::likelihoods;
using test::make_run;
using test::records_of;
using test::scores_of;
using Json = nlohmann::ordered_json;

TEST(TaskRun, EqualContextsShareAPrefill) {
  const FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 500);
  EXPECT_EQ(run.task.documents(), 12u);
  EXPECT_EQ(run.task.groups.size(), 8u);
  std::size_t continuations = 0;
  for (const ContextGroup& group : run.task.groups) continuations += group.continuations.size();
  EXPECT_EQ(continuations, 36u);
}

TEST(TaskRun, BatchesAreSortedAndFull) {
  const FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 200);
  for (const TaskRow& row : run.rows) {
    std::vector<std::size_t> seen;
    std::int64_t previous = std::numeric_limits<std::int64_t>::max();
    for (const Batch& batch : row.batches) {
      std::int64_t tokens = 0;
      for (const std::size_t group : batch) {
        seen.push_back(group);
        EXPECT_LE(row.lengths[group], previous);
        previous = row.lengths[group];
        tokens += row.lengths[group] + run.task.groups[group].extended_tokens();
      }
      EXPECT_TRUE(tokens <= 200 || batch.size() == 1);
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::size_t> all(run.task.groups.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    EXPECT_EQ(seen, all);
    EXPECT_GT(row.batches.size(), 1u);
  }
}

TEST(TaskRun, ScoresAreThoseOfTokensReadOneByOne) {
  FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, true}, 300);
  const std::vector<TaskRowScores> scores = scores_of(model, run);
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    if (!run.rows[r].method.plan.is_dense()) continue;
    for (std::size_t g = 0; g < run.task.groups.size(); ++g) {
      const ContextGroup& group = run.task.groups[g];
      for (const Continuation& continuation : group.continuations) {
        PackedTokens context;
        const std::int64_t length = run.rows[r].lengths[g];
        context.append(group.context.data() + group.context.size() - length, length);
        Prefill prefill = model.prefill(context, PruningPlan::dense(), nullptr);
        Predictions next(prefill.last_logits);
        double sum = 0;
        bool greedy = true;
        for (std::size_t k = 0; k < continuation.ids.size(); ++k) {
          if (k > 0) {
            const PackedTokens one{{continuation.ids[k - 1]}, {1}};
            next = Predictions(model.extend(*prefill.state, one, nullptr));
          }
          sum -= next.nll(0, continuation.ids[k]);
          greedy = greedy && next.top(0) == continuation.ids[k];
        }
        const ContinuationScore& score =
            scores[r].documents[continuation.document][continuation.choice];
        EXPECT_DOUBLE_EQ(score.log_likelihood, sum);
        EXPECT_EQ(score.greedy, greedy);
      }
    }
  }
  EXPECT_NE(likelihoods(scores[0]), likelihoods(scores[1]));
}

TEST(TaskRun, RecordsSurviveTheirText) {
  BatchScores scores;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {-1.0 / 3, -infinity, infinity, std::nan(""), -0.0, -1e-300}) {
    scores.continuations.push_back({value, scores.continuations.size() % 2 == 0});
  }
  scores.overlap[3] = {40, 39};
  scores.seconds = 0.25;
  const BatchScores back = from_record(Json::parse(to_record(scores).dump()));
  ASSERT_EQ(back.continuations.size(), scores.continuations.size());
  for (std::size_t i = 0; i < scores.continuations.size(); ++i) {
    const double value = scores.continuations[i].log_likelihood;
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(back.continuations[i].log_likelihood));
    } else {
      EXPECT_EQ(back.continuations[i].log_likelihood, value);
      EXPECT_EQ(std::signbit(back.continuations[i].log_likelihood), std::signbit(value));
    }
    EXPECT_EQ(back.continuations[i].greedy, scores.continuations[i].greedy);
  }
  EXPECT_EQ(back.overlap.at(3).kept, 40);
  EXPECT_EQ(back.overlap.at(3).recent, 39);
  EXPECT_EQ(back.seconds, 0.25);
}

Json results_of(LanguageModel& model, const std::vector<TaskRun>& runs, bool backwards) {
  const auto scores = collect_scores(runs, records_of(model, runs, backwards));
  const auto summaries = summarize_task(runs.front(), scores.front());
  const std::vector<TaskResult> results = {{"m", &runs.front(), &scores.front(), &summaries}};
  return {task_rows_json(results), task_documents_json(results)};
}

TEST(TaskRun, ResultsDependNeitherOnBatchNorOnOrder) {
  FakeModel model;
  const TaskMethods methods{grid_of({"recent", "random"}, {"0.5"}), {}, true};
  const Json whole =
      results_of(model, {make_run(model, FakeTokenizer(), methods, 1'000'000)}, false);
  EXPECT_EQ(results_of(model, {make_run(model, FakeTokenizer(), methods, 1)}, false), whole);
  EXPECT_EQ(results_of(model, {make_run(model, FakeTokenizer(), methods, 250)}, true), whole);
}

// Bit for bit with the real model: kernels, products and selections of packed sequences.
TEST(TaskRun, TheDemosScoresDependNeitherOnBatchNorOnOrder) {
  const at::NoGradGuard no_grad;
  const std::string folder = std::string(SIMBA_SOURCE_DIR) + "/examples/demo/model";
  const auto model = load_model(folder, at::kFloat, at::kCPU);
  const auto tokenizer = load_tokenizer(folder + "/tokenizer.model");
  const TaskMethods methods{grid_of({"influence", "random"}, {"0.3"}), {}, true};
  const std::vector<TaskRun> whole = {make_run(*model, *tokenizer, methods, 1'000'000, 6)};
  const auto expected = collect_scores(whole, records_of(*model, whole)).front();
  for (const std::int64_t batch_tokens : {1, 60}) {
    const std::vector<TaskRun> runs = {make_run(*model, *tokenizer, methods, batch_tokens, 6)};
    EXPECT_GT(runs.front().unit_count(), whole.front().unit_count());
    const auto scores = collect_scores(runs, records_of(*model, runs, batch_tokens > 1)).front();
    for (std::size_t r = 0; r < scores.size(); ++r) {
      EXPECT_EQ(likelihoods(scores[r]), likelihoods(expected[r])) << r;
    }
  }
  EXPECT_NE(likelihoods(expected[0]), likelihoods(expected[1]));
}

}  // namespace
}  // namespace simba::eval
