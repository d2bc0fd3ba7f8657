#include "eval/tasks/token_scores.h"

#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

namespace simba::eval {
namespace {

TEST(TokenScores, ByHand) {
  at::Tensor logits = at::zeros({2, 4});
  logits[1][2].fill_(std::log(5.0));  // of 8
  const auto scores = score_tokens(logits, {{0, 3}, {1, 2}, {1, 0}, {0, 0}});
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_NEAR(scores[0].log_likelihood, std::log(0.25), 1e-7);
  EXPECT_NEAR(scores[1].log_likelihood, std::log(5.0 / 8), 1e-7);
  EXPECT_NEAR(scores[2].log_likelihood, std::log(1.0 / 8), 1e-7);
  EXPECT_FALSE(scores[0].is_top);  // of equals the first is
  EXPECT_TRUE(scores[1].is_top);
  EXPECT_FALSE(scores[2].is_top);
  EXPECT_TRUE(scores[3].is_top);
  EXPECT_TRUE(score_tokens(logits, {}).empty());
}

TEST(TokenScores, BothWaysAgree) {
  const at::Tensor logits = at::linspace(0, 27900, 3000 * 7).sin().mul(9).reshape({3000, 7});
  std::vector<TokenQuery> queries;
  for (std::int64_t row = 0; row < 3000; ++row) queries.push_back({row, (row * 5) % 7});
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kDouble}) {
    const at::Tensor typed = logits.to(type);
    const auto one = score_tokens(typed, queries);
    const auto other = score_tokens_on_device(typed, queries);
    ASSERT_EQ(one.size(), other.size());
    int top = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_NEAR(one[i].log_likelihood, other[i].log_likelihood, 1e-6);
      EXPECT_EQ(one[i].is_top, other[i].is_top);
      top += one[i].is_top;
    }
    EXPECT_GT(top, 100);
  }
}

}  // namespace
}  // namespace simba::eval
