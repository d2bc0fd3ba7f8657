// Figures of a task by hand, from made-up scores.
#include "eval/tasks/task_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "eval/tasks/task_table.h"
#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/eval/tasks/task_runs.h"

namespace simba::eval {
namespace {

using test::grid_of;
using test::make_run;
using test::scores_of;

TEST(TaskSummary, ByHand) {
  FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 500, 4);
  std::vector<TaskRowScores> scores = scores_of(model, run);
  // Right choices: 0, 1, 2, 0. Dense says 0, 1, 0, 1; the method 0, 0, 2, 0.
  const auto say = [](TaskRowScores& row, const std::vector<std::size_t>& choices) {
    for (std::size_t d = 0; d < choices.size(); ++d) {
      for (std::size_t c = 0; c < 3; ++c) {
        row.documents[d][c] = {c == choices[d] ? -1.0 : -9.0, false};
      }
    }
  };
  say(scores[0], {0, 1, 0, 1});
  say(scores[1], {0, 0, 2, 0});
  const auto summaries = summarize_task(run, scores);
  EXPECT_DOUBLE_EQ(summaries[0].metrics[0].value, 0.5);
  EXPECT_DOUBLE_EQ(summaries[1].metrics[0].value, 0.75);
  EXPECT_DOUBLE_EQ(summaries[0].metrics[0].standard_error.value(), std::sqrt(1.0 / 3 / 4));
  EXPECT_FALSE(summaries[0].difference.has_value());
  EXPECT_DOUBLE_EQ(summaries[1].difference->mean, 0.25);  // of 0, -1, 1, 1
  EXPECT_DOUBLE_EQ(summaries[1].difference->standard_error.value(),
                   std::sqrt((3 - 4 * 0.0625) / 3 / 4));
  EXPECT_EQ(summaries[0].flops_share, 1);
  EXPECT_DOUBLE_EQ(summaries[1].overlap_mean.value(), 1);
  EXPECT_TRUE(summaries[1].finite);
  EXPECT_NE(task_table({run}, {summaries}).find("75.0 ± 25.0*"), std::string::npos);
  scores[1].documents[0][0].log_likelihood = -std::numeric_limits<double>::infinity();
  EXPECT_FALSE(summarize_task(run, scores)[1].finite);
}

}  // namespace
}  // namespace simba::eval
