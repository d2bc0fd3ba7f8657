#include "eval/perplexity/batch_record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace simba::eval {
namespace {

RowScores example() {
  RowScores row;
  row.windows = {{0.1 + 0.2, 1e-17, 3}, {std::nan(""), HUGE_VAL, 0}};
  row.overlap = {{2, {40, 30}}, {5, {20, 20}}};
  row.prefill_seconds = 0.7;
  row.continuation_seconds = 0.1;
  return row;
}

TEST(BatchRecord, ReadsBackTheSame) {
  const auto text = batch_record({example(), RowScores()}).dump();
  const std::vector<RowScores> rows = read_batch_record(nlohmann::ordered_json::parse(text));
  ASSERT_EQ(rows.size(), 2u);
  ASSERT_EQ(rows[0].windows.size(), 2u);
  EXPECT_EQ(rows[0].windows[0].nll, 0.1 + 0.2);
  EXPECT_EQ(rows[0].windows[0].kl, 1e-17);
  EXPECT_EQ(rows[0].windows[0].same_top, 3);
  EXPECT_TRUE(std::isnan(rows[0].windows[1].nll));
  EXPECT_EQ(rows[0].windows[1].kl, HUGE_VAL);
  EXPECT_EQ(rows[0].overlap.at(2).recent, 30);
  EXPECT_EQ(rows[0].overlap.at(5).kept, 20);
  EXPECT_EQ(rows[0].prefill_seconds, 0.7);
  EXPECT_TRUE(rows[1].windows.empty() && rows[1].overlap.empty());
}

TEST(BatchRecord, AddsUp) {
  RowScores sum;
  add_scores(example(), sum);
  add_scores(example(), sum);
  EXPECT_EQ(sum.windows.size(), 4u);
  EXPECT_EQ(sum.overlap.at(2).kept, 80);
  EXPECT_DOUBLE_EQ(sum.prefill_seconds, 1.4);
}

}  // namespace
}  // namespace simba::eval
