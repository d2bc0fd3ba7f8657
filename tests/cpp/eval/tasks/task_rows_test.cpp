// What the rows of a task spend: dense, truncated and to a budget.
#include "eval/tasks/task_rows.h"

#include <gtest/gtest.h>

#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/eval/tasks/task_runs.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::grid_of;
using test::make_run;
using test::refuses;

TEST(TaskRows, FlopsOfGroupsByHand) {
  const FakeModel model;
  // A context of 10 tokens in 4 layers, continuations of 1, 3 and 3 tokens.
  const ContextGroup group{std::vector<std::int64_t>(10, 2),
                           {{0, 0, {1}}, {0, 1, {1, 2, 3}}, {0, 2, {4, 5, 6}}}};
  const FlopCount flops = groups_flops(model, {group}, {10}, PruningPlan::dense());
  EXPECT_EQ(flops.prefill, 4 * 10 * 100);
  EXPECT_EQ(flops.continuation, 10 * 4);
  EXPECT_EQ(flops.head, 1 + 4);
  EXPECT_EQ(groups_flops(model, {group, group}, {10, 5}, PruningPlan::dense()).prefill, 6000);
}

TEST(TaskRows, TruncatedRowsSpendWhatTheyMatch) {
  const FakeModel model;
  const TaskRun run = make_run(model, FakeTokenizer(),
                               {grid_of({"recent", "spaced"}, {"0.5", "0.2"}), {}, true}, 500);
  ASSERT_EQ(run.rows.size(), 7u);  // dense, 2 x 2, 2 truncated that both criteria share
  for (std::size_t r = 5; r < 7; ++r) {
    const TaskRow& row = run.rows[r];
    EXPECT_EQ(row.method.criterion, "truncated");
    EXPECT_EQ(row.matches.size(), 2u);
    for (const Match& match : row.matches) {
      EXPECT_NEAR(row.flops.total() / match.budget, 1, 0.01);
    }
    for (std::size_t g = 0; g < row.lengths.size(); ++g) {
      EXPECT_LE(row.lengths[g], run.task.groups[g].context_length());
      EXPECT_GE(row.lengths[g], 1);
    }
  }
}

TEST(TaskRows, BudgetsAreSolvedForRetentions) {
  const FakeModel model;
  const MethodGrid grid = grid_of({"recent"}, {"1"});
  const double dense =
      make_run(model, FakeTokenizer(), {grid, {}, false}, 500).rows[0].flops.total();
  const TaskMethods methods{
      grid, {{"0.7", 0.7, true}, {"1", 1, true}, {"x", 0.8 * dense, false}}, true};
  const TaskRun run = make_run(model, FakeTokenizer(), methods, 500);
  // A budget of dense is dense.
  ASSERT_EQ(run.rows.size(), 5u);
  EXPECT_EQ(run.rows[1].budget->text, "0.7");
  EXPECT_NEAR(run.rows[1].flops.total() / dense, 0.7, 0.007);
  EXPECT_NEAR(run.rows[2].flops.total() / dense, 0.8, 0.008);
  EXPECT_LT(run.rows[1].method.retention->value(), run.rows[2].method.retention->value());
  EXPECT_NEAR(run.rows[3].flops.total() / dense, 0.7, 0.014);
  EXPECT_TRUE(
      refuses("--budget 0.2: recent: budget: expected a run total within 1 % of one in [", [&] {
        make_run(model, FakeTokenizer(), {grid, {{"0.2", 0.2, true}}, false}, 500);
      }));
  MethodGrid steps = grid;
  steps.schedules = {Schedule::parse("steps:2=0.5")};
  EXPECT_TRUE(refuses("schedule steps:2=0.5 has no retention to solve for", [&] {
    make_run(model, FakeTokenizer(), {steps, {{"0.7", 0.7, true}}, false}, 500);
  }));
}

}  // namespace
}  // namespace simba::eval
