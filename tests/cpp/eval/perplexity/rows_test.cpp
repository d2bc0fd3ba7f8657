#include "eval/perplexity/rows.h"

#include <cmath>
#include <utility>

#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

std::vector<Method> methods(const std::vector<std::string>& criteria,
                            const std::string& retention) {
  MethodGrid grid;
  grid.criteria = criteria;
  grid.decays = {"no_bias"};
  grid.reductions = {"max"};
  grid.retentions = {Retention::parse(retention)};
  grid.schedules = {Schedule()};
  return expand_methods(grid);
}

TEST(Rows, EveryContextBeginsDense) {
  const FakeModel model;
  const std::vector<Row> rows = make_rows(model, methods({"recent"}, "0.5"), {100, 40}, {3, 11});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].method.name(), "dense");
  EXPECT_EQ(rows[2].method.name(), "dense");
  EXPECT_EQ(rows[2].context, 40);
  // 3 windows of 4 layers * 40 tokens, 10 continued tokens and 11 logits.
  EXPECT_DOUBLE_EQ(rows[2].flops.total(), 3 * (100.0 * 160 + 10 * 10 + 11));
}

TEST(Rows, MatchedFlopsOfTheWholeRun) {
  const FakeModel model;
  const RunShape shape{3, 11};
  const std::vector<Row> rows = with_matched_flops(
      model, make_rows(model, methods({"recent", "spaced"}, "0.5"), {1000, 400}, shape), shape);
  // dense, recent, spaced and one truncated row: both cost the same.
  ASSERT_EQ(rows.size(), 8u);
  for (const std::size_t r : {3u, 7u}) {
    EXPECT_EQ(rows[r].method.criterion, "truncated");
    EXPECT_EQ(rows[r].method.retention->text(), "0.5");
    ASSERT_EQ(rows[r].matches.size(), 2u);
    EXPECT_EQ(rows[r].matches[0].method, "recent linear r=0.5");
    EXPECT_EQ(rows[r].matches[1].method, "spaced linear r=0.5");
    EXPECT_DOUBLE_EQ(rows[r].matches[0].budget, rows[r - 1].flops.total());
    EXPECT_LT(std::abs(rows[r].flops.total() / rows[r].matches[0].budget - 1), 0.01);
    EXPECT_TRUE(rows[r].method.plan.is_dense());
    EXPECT_EQ(rows[r].context, rows[r - 1].context);
  }
  // Tokens per layer 1000, 834, 667, 500: 3001 in all, a quarter of it dense.
  EXPECT_EQ(rows[3].length, 750);
}

TEST(Rows, ATruncatedRowHasTheScheduleOfAllThatItMatches) {
  const auto merge = [](std::vector<Row>& rows, const std::string& schedule) {
    Row row;
    row.method.schedule = schedule;
    row.matches = {{schedule, 1.0}};
    merge_truncated(rows, std::move(row), [](const Row&, const Row&) { return true; });
  };
  std::vector<Row> rows;
  merge(rows, "linear");
  merge(rows, "linear");
  EXPECT_EQ(rows.front().method.schedule, "linear");
  merge(rows, "constant");
  EXPECT_FALSE(rows.front().method.schedule);
  merge(rows, "linear");
  EXPECT_FALSE(rows.front().method.schedule);
  EXPECT_EQ(rows.size(), 1u);
}

TEST(Rows, AnUnreachableBudgetNamesTheRow) {
  const FakeModel model;
  // Lengths of 1, 2 or 3 tokens cannot come within 1 %.
  const std::vector<Row> rows = make_rows(model, methods({"recent"}, "0.5"), {3}, {1, 1});
  EXPECT_TRUE(refuses("--match-flops: recent linear r=0.5 at context 3", [&] {
    with_matched_flops(model, rows, {1, 1});
  }));
}

}  // namespace
}  // namespace simba::eval
