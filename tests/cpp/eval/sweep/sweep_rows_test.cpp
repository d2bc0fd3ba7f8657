#include "eval/sweep/sweep_rows.h"

#include <gtest/gtest.h>

#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

SweepMethods block_of(const std::vector<std::string>& criteria) {
  SweepMethods block;
  block.grid.criteria = criteria;
  block.grid.decays = {"no_bias"};
  block.grid.reductions = {"max"};
  block.grid.schedules = {Schedule()};
  block.where = "sweep.toml:9";
  return block;
}

SweepMethods at_retentions(const std::vector<std::string>& criteria,
                           const std::vector<std::string>& retentions, bool truncated = false) {
  SweepMethods block = block_of(criteria);
  for (const std::string& text : retentions)
    block.grid.retentions.push_back(Retention::parse(text));
  block.truncated = truncated;
  return block;
}

// Contexts of 200 to 209 tokens, two choices of 3 each.
std::vector<ContextGroup> groups() {
  std::vector<ContextGroup> groups(10);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    groups[g].context.assign(200 + g, 1);
    groups[g].continuations = {{g, 0, {1, 2, 3}}, {g, 1, {1, 2, 3}}};
  }
  return groups;
}

double no_dense(const std::string&) { return 0; }

std::vector<std::string> labels(const std::vector<TaskRow>& rows) {
  std::vector<std::string> labels;
  for (const TaskRow& row : rows) {
    std::string& label = labels.emplace_back(row.method.label());
    if (!row.method.retention) continue;
    label += ' ';
    label += row.method.retention->text();
  }
  return labels;
}

TEST(SweepRows, BlocksBecomeOneTable) {
  const FakeModel model;
  const auto rows = sweep_task_rows(
      model, groups(),
      {at_retentions({"recent", "spaced"}, {"0.5"}, true),
       at_retentions({"recent"}, {"0.5", "0.2"}), at_retentions({"random"}, {"0.5"}, true)},
      no_dense, 1000, "a task");
  EXPECT_EQ(labels(rows), (std::vector<std::string>{"dense", "recent 0.5", "spaced 0.5",
                                                    "recent 0.2", "random 0.5", "truncated 0.5"}));
  // One reading of the same tokens stands for all rows of its cost.
  ASSERT_EQ(rows.back().matches.size(), 3u);
  EXPECT_EQ(rows.back().matches[2].method, "random(seed=0) linear r=0.5");
}

TEST(SweepRows, WithoutBlocksThereIsDense) {
  const FakeModel model;
  EXPECT_EQ(labels(sweep_task_rows(model, groups(), {}, no_dense, 1000, "a task")),
            std::vector<std::string>{"dense"});
  const auto rows = sweep_context_rows(model, 100, {4, 8}, {}, no_dense, "context 100");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].row.method.is_dense());
}

TEST(SweepRows, BudgetsAndOtherModelsAreMatched) {
  const FakeModel model;
  SweepMethods block = block_of({"recent"});
  block.budgets = {{"0.8", 0.8, true}, {"1", 1, true}};
  block.match = {"small"};
  block.truncated = true;
  const double dense =
      sweep_task_rows(model, groups(), {}, no_dense, 1000, "").front().flops.total();
  const auto small = [&](const std::string& name) {
    EXPECT_EQ(name, "small");
    return 0.7 * dense;
  };
  const auto rows = sweep_task_rows(model, groups(), {block}, small, 1000, "a task");
  ASSERT_EQ(rows.size(), 5u);  // the budget of dense itself adds none
  EXPECT_NEAR(rows[1].flops.total(), 0.8 * dense, 0.008 * dense);
  EXPECT_NEAR(rows[2].flops.total(), 0.7 * dense, 0.007 * dense);
  EXPECT_EQ(rows[2].budget->text, "dense small");
  EXPECT_NEAR(rows[4].flops.total(), rows[2].flops.total(), 0.01 * rows[2].flops.total());

  const RunShape run{4, 8};
  const double at_context =
      sweep_context_rows(model, 500, run, {}, no_dense, "").front().row.flops.total();
  const auto contexts = sweep_context_rows(
      model, 500, run, {block}, [&](const std::string&) { return 0.7 * at_context; }, "context");
  ASSERT_EQ(contexts.size(), 5u);
  EXPECT_EQ(contexts[1].budget->text, "0.8");
  EXPECT_NEAR(contexts[1].row.flops.total(), 0.8 * at_context, 0.008 * at_context);
  EXPECT_NEAR(contexts[2].row.flops.total(), 0.7 * at_context, 0.007 * at_context);
  EXPECT_FALSE(contexts[0].budget || contexts[3].budget);
  EXPECT_NEAR(contexts[3].row.flops.total(), contexts[1].row.flops.total(),
              0.01 * contexts[1].row.flops.total());
}

TEST(SweepRows, AnUnreachableBudgetNamesTheRange) {
  const FakeModel model;
  SweepMethods block = block_of({"recent"});
  block.budgets = {{"0.1", 0.1, true}};
  EXPECT_TRUE(refuses(
      "sweep.toml:9: model m, task t: budget 0.1: recent: budget: expected a run "
      "total within 1 % of one in [",
      [&] { sweep_task_rows(model, groups(), {block}, no_dense, 1000, "model m, task t"); }));
  EXPECT_TRUE(
      refuses("sweep.toml:9: context 500: budget 0.1: recent: budget: expected a run total", [&] {
        sweep_context_rows(model, 500, {4, 8}, {block}, no_dense, "context 500");
      }));
}

TEST(SweepRows, OnlyNamedModelsThatCanBePruned) {
  const FakeModel model;  // of a family of its own
  SweepMethods block = at_retentions({"recent"}, {"0.5"});
  EXPECT_TRUE(methods_of({block}, "fake", model).empty());
  block.models = {"fake"};
  EXPECT_TRUE(refuses("sweep.toml:9: models: fake is of the family fake",
                      [&] { methods_of({block}, "fake", model); }));
  EXPECT_TRUE(methods_of({block}, "other", model).empty());
}

}  // namespace
}  // namespace simba::eval
