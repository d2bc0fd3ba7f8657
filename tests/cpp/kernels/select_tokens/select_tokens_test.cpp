#include "kernels/select_tokens/select_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace simba::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");
using Positions = std::vector<std::int64_t>;

// The kept positions of one sequence.
template <typename Acc>
Positions keep(const std::vector<double>& scores, std::int64_t count) {
  const std::vector<Acc> typed(scores.begin(), scores.end());
  const std::int64_t offsets[] = {0, count};
  Positions indices(count, -1);
  SelectTokensParams<Acc> params;
  params.sequences = {1, static_cast<std::int64_t>(scores.size()), nullptr};
  params.scores = typed.data();
  params.keep_offsets = offsets;
  params.indices = indices.data();
  select_tokens_cpu(params, 0, 1);
  return indices;
}

template <typename Acc>
class SelectTokens : public ::testing::Test {};
using ScoreTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SelectTokens, ScoreTypes);

TYPED_TEST(SelectTokens, HighestInAscendingPositions) {
  EXPECT_EQ(keep<TypeParam>({5, 1, 4, 2, 3, 0}, 3), (Positions{0, 2, 5}));
}

TYPED_TEST(SelectTokens, LastTokenIsKeptWhateverItsScore) {
  EXPECT_EQ(keep<TypeParam>({3, 2, 1, -kInfinity}, 1), (Positions{3}));
  EXPECT_EQ(keep<TypeParam>({3, 2, 1, kNan}, 2), (Positions{0, 3}));
}

TYPED_TEST(SelectTokens, LaterOfEqualScores) {
  EXPECT_EQ(keep<TypeParam>({7, 7, 7, 7, 7}, 3), (Positions{2, 3, 4}));
  EXPECT_EQ(keep<TypeParam>({-kInfinity, -kInfinity, -kInfinity}, 2), (Positions{1, 2}));
  EXPECT_EQ(keep<TypeParam>({0.0, -0.0, -1, 1}, 2), (Positions{1, 3}));
  EXPECT_EQ(keep<TypeParam>({-0.0, 0.0, -1, 1}, 2), (Positions{1, 3}));
}

TYPED_TEST(SelectTokens, NanRanksBelowMinusInfinity) {
  EXPECT_EQ(keep<TypeParam>({-kInfinity, kNan, kNan, 0}, 2), (Positions{0, 3}));
  EXPECT_EQ(keep<TypeParam>({kNan, kNan, -1, 0}, 3), (Positions{1, 2, 3}));
}

TYPED_TEST(SelectTokens, InfinityRanksHighest) {
  EXPECT_EQ(keep<TypeParam>({1, kInfinity, 2, 0}, 2), (Positions{1, 3}));
}

TYPED_TEST(SelectTokens, AllAndNone) {
  EXPECT_EQ(keep<TypeParam>({3, kNan, 1}, 3), (Positions{0, 1, 2}));
  EXPECT_EQ(keep<TypeParam>({3, 2, 1}, 0), (Positions{}));
  EXPECT_EQ(keep<TypeParam>({}, 0), (Positions{}));
}

// Every count of a long sequence with many ties, against a full sort by (score, position).
TYPED_TEST(SelectTokens, EqualsFullSort) {
  std::mt19937 engine(6);
  std::vector<double> scores(257);
  for (double& score : scores) {
    const auto value = static_cast<int>(engine() % 20);
    score = value == 0 ? kNan : value == 1 ? -kInfinity : value;
  }
  Positions order(scores.size() - 1);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  const auto rank = [&](std::int64_t i) {
    // NaN below -infinity below the rest.
    return std::isnan(scores[i]) ? -2.0 : std::isinf(scores[i]) ? -1.0 : scores[i];
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return rank(a) < rank(b); });
  for (std::int64_t count = 1; count <= 257; ++count) {
    Positions expected(order.end() - (count - 1), order.end());
    expected.push_back(256);
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(keep<TypeParam>(scores, count), expected) << count;
  }
}

TYPED_TEST(SelectTokens, BatchWithStride) {
  const std::vector<TypeParam> scores = {1, 3, 2, 0, 99, 99, 5, 4, 6, 0, 99, 99};
  const std::int64_t offsets[] = {0, 2, 4};
  Positions indices(4, -1);
  SelectTokensParams<TypeParam> params;
  params.sequences = {2, 4, nullptr};
  params.scores = scores.data();
  params.batch_stride = 6;
  params.keep_offsets = offsets;
  params.indices = indices.data();
  // In any order, each sequence for itself.
  select_tokens_cpu(params, 1, 2);
  EXPECT_EQ(indices, (Positions{-1, -1, 2, 3}));
  select_tokens_cpu(params, 0, 1);
  EXPECT_EQ(indices, (Positions{1, 3, 2, 3}));
}

TYPED_TEST(SelectTokens, PackedWithEmptyAndSingle) {
  const std::vector<TypeParam> scores = {9, 1, 8, 0, 7, 5, 6, 4};
  const std::int32_t cu_seqlens[] = {0, 4, 4, 5, 8};
  const std::int64_t offsets[] = {0, 2, 2, 3, 5};
  Positions indices(6, -1);
  SelectTokensParams<TypeParam> params;
  params.sequences = {4, 8, cu_seqlens};
  params.scores = scores.data();
  params.keep_offsets = offsets;
  params.indices = indices.data();
  select_tokens_cpu(params, 0, 4);
  EXPECT_EQ(indices, (Positions{0, 3, 4, 6, 7, -1}));
}

}  // namespace
}  // namespace simba::kernels
