#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace simba::eval {
namespace {

TEST(Statistics, Perplexity) {
  EXPECT_DOUBLE_EQ(perplexity(std::log(33.0)), 33.0);
  // 1.5 tokens a word: a word's perplexity is the token's to the power 1.5.
  EXPECT_NEAR(perplexity_per_word(std::log(4.0), 300, 200), 8.0, 1e-12);
}

TEST(Statistics, PairedDifferenceByHand) {
  // Differences 3, 1, -2 of 2 tokens each in books 7, 7, 9: mean 2 / 6. Residuals of the books:
  // 4 - 4/3 = 8/3 and -2 - 2/3 = -8/3. Variance 2/1 * 2 * (8/3)^2 / 6^2.
  const PairedDifference d = paired_difference({5, 4, 1}, {2, 3, 3}, {2, 2, 2}, {7, 7, 9});
  EXPECT_DOUBLE_EQ(d.mean, 1.0 / 3);
  ASSERT_TRUE(d.standard_error.has_value());
  EXPECT_NEAR(*d.standard_error, std::sqrt(2.0 * 2 * 64 / 9) / 6, 1e-15);
}

TEST(Statistics, OneWindowPerBookIsTheUsualStandardError) {
  // Differences per token 1, 2, 6: mean 3, sample standard deviation sqrt(7), over sqrt(3).
  const PairedDifference d = paired_difference({4, 8, 24}, {0, 0, 0}, {4, 4, 4}, {0, 1, 2});
  EXPECT_DOUBLE_EQ(d.mean, 3);
  EXPECT_NEAR(d.standard_error.value(), std::sqrt(7.0 / 3), 1e-15);
}

TEST(Statistics, UnequalCountsAreWeighted) {
  const PairedDifference d = paired_difference({6, 2}, {0, 0}, {6, 1}, {0, 1});
  EXPECT_DOUBLE_EQ(d.mean, 8.0 / 7);
  EXPECT_NEAR(d.standard_error.value(), std::sqrt(2 * 2 * std::pow(6 - 48.0 / 7, 2)) / 7, 1e-15);
}

TEST(Statistics, OneBookHasNoStandardError) {
  EXPECT_FALSE(paired_difference({1, 2}, {0, 0}, {1, 1}, {4, 4}).standard_error.has_value());
}

}  // namespace
}  // namespace simba::eval
