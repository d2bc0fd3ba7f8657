#include "csrc/model/sampling.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/cpp/refusal.h"

namespace simba {
namespace {

std::int64_t choose(const std::vector<double>& logits, const Sampling& sampling, double x) {
  const at::Tensor row = at::tensor(logits, at::kFloat).unsqueeze(0);
  return choose_tokens(row, sampling, at::tensor({x}, at::kDouble)).item<std::int64_t>();
}

// Weights 8, 4, 2, 1, 1 (of 16), the largest at id 3; ids 2 and 4 are equal.
const std::vector<double> kLogits = {std::log(4), std::log(2), 0, std::log(8), 0};

TEST(Sampling, GreedyTakesTheLargestAndOfEqualOnesTheFirst) {
  EXPECT_EQ(choose(kLogits, {}, 0.9), 3);
  EXPECT_EQ(choose({1, 5, 5, 2}, {}, 0.9), 1);
}

TEST(Sampling, DrawsByWeightInFallingOrder) {
  const Sampling sampling{.temperature = 1};
  const std::map<double, std::int64_t> expected = {{0, 3},    {0.49, 3},    {0.51, 0}, {0.74, 0},
                                                   {0.76, 1}, {0.86, 1},    {0.89, 2}, {0.93, 2},
                                                   {0.95, 4}, {0.999999, 4}};
  for (const auto& [x, id] : expected) EXPECT_EQ(choose(kLogits, sampling, x), id) << x;
  EXPECT_EQ(choose(kLogits, sampling, std::nextafter(1, 0)), 4);
}

TEST(Sampling, TemperatureComesFirst) {
  // 64, 16, 4, 1, 1 of 86.
  EXPECT_EQ(choose(kLogits, {.temperature = 0.5}, 0.70), 3);
  EXPECT_EQ(choose(kLogits, {.temperature = 1}, 0.70), 0);
}

TEST(Sampling, TopKKeepsTheFirstAndOfEqualOnesTheLowerId) {
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 1}, 0.99), 3);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 2}, 0.99), 0);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 4}, 0.999), 2);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 9}, 0.999), 4);
}

TEST(Sampling, TopPKeepsWhatBeginsBelowIt) {
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_p = 0.01}, 0.99), 3);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_p = 0.45}, 0.99), 3);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_p = 0.55}, 0.99), 0);
  // Equal weights are exact: the second begins at half, which is not below it.
  EXPECT_EQ(choose({1, 1}, {.temperature = 1, .top_p = 0.5}, 0.99), 0);
  EXPECT_EQ(choose({1, 1}, {.temperature = 1, .top_p = 0.51}, 0.99), 1);
  // Of the two that top-k left, 8 and 4 of 12: two thirds are passed by the first alone.
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 2, .top_p = 0.6}, 0.99), 3);
  EXPECT_EQ(choose(kLogits, {.temperature = 1, .top_k = 2, .top_p = 0.7}, 0.99), 0);
}

TEST(Sampling, ATokenOfNoWeightIsNeverDrawn) {
  for (const double x : {0.0, 0.5, std::nextafter(1, 0)}) {
    EXPECT_EQ(choose({-200, 0, -200}, {.temperature = 1}, x), 1);
  }
}

TEST(Sampling, UniformsDependOnTheirCoordinatesAlone) {
  EXPECT_EQ(uniform(1, 2, 3), uniform(1, 2, 3));
  double sum = 0;
  std::map<double, int> seen;
  for (std::int64_t stream = 0; stream < 20; ++stream) {
    for (std::int64_t step = 0; step < 50; ++step) {
      const double x = uniform(5, stream, step);
      EXPECT_TRUE(x >= 0 && x < 1);
      sum += x;
      ++seen[x];
    }
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_NEAR(sum / 1000, 0.5, 0.04);
  EXPECT_NE(uniform(1, 2, 3), uniform(2, 2, 3));
}

TEST(Sampling, OptionsOutOfRangeAreRefused) {
  using test::refuses;
  EXPECT_TRUE(refuses("temperature: expected", [] { check_sampling({.temperature = -1}); }));
  EXPECT_TRUE(refuses("temperature: expected", [] { check_sampling({.temperature = NAN}); }));
  EXPECT_TRUE(refuses("top_k: expected", [] { check_sampling({.top_k = -1}); }));
  EXPECT_TRUE(refuses("top_p: expected", [] { check_sampling({.top_p = 0}); }));
  EXPECT_TRUE(refuses("top_p: expected", [] { check_sampling({.top_p = 1.1}); }));
}

}  // namespace
}  // namespace simba
