#include "csrc/model/gpt_neox/attention.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

namespace simba {
namespace {

using Lengths = std::vector<std::int64_t>;

constexpr std::int64_t kHeads = 3;
constexpr std::int64_t kHead = 5;

std::int64_t sum(const Lengths& lengths) {
  std::int64_t total = 0;
  for (const std::int64_t length : lengths) total += length;
  return total;
}

class Random {
 public:
  at::Tensor rows(std::int64_t count) {
    return at::randn({count, kHeads, kHead}, generator_, at::TensorOptions(at::kDouble));
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(5);
};

// softmax(q k / sqrt(d)) v, written out.
at::Tensor by_hand(const at::Tensor& queries, const KeysAndValues& cache, const Lengths& past,
                   const Lengths& lengths) {
  at::Tensor out = at::empty_like(queries);
  const auto query = queries.accessor<double, 3>(), key = cache.keys.accessor<double, 3>(),
             value = cache.values.accessor<double, 3>();
  auto result = out.accessor<double, 3>();
  std::int64_t row = 0, begin = 0;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::int64_t i = 0; i < lengths[s]; ++i, ++row) {
      for (std::int64_t h = 0; h < kHeads; ++h) {
        std::vector<double> weights;
        double total = 0;
        for (std::int64_t j = begin; j <= begin + past[s] + i; ++j) {
          double score = 0;
          for (std::int64_t d = 0; d < kHead; ++d) score += query[row][h][d] * key[j][h][d];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(kHead))));
          total += weights.back();
        }
        for (std::int64_t d = 0; d < kHead; ++d) {
          double sum = 0;
          for (std::size_t j = 0; j < weights.size(); ++j) {
            sum += weights[j] * value[begin + static_cast<std::int64_t>(j)][h][d];
          }
          result[row][h][d] = sum / total;
        }
      }
    }
    begin += past[s] + lengths[s];
  }
  return out;
}

struct Case {
  Lengths past, lengths;
};

const Case kCases[] = {
    {{0}, {1}},       {{0}, {9}}, {{0, 0, 0}, {4, 1, 7}}, {{3}, {5}}, {{3, 8, 1, 2}, {2, 1, 6, 0}},
    {{4, 4}, {1, 1}},
};

TEST(PackedAttention, BothWaysEqualTheFormula) {
  Random random;
  for (const Case& row : kCases) {
    const PackedAttention attention(row.past, row.lengths, at::kCPU);
    const std::int64_t all = sum(row.past) + sum(row.lengths);
    const KeysAndValues cache = {random.rows(all), random.rows(all)};
    const at::Tensor queries = random.rows(sum(row.lengths));
    const at::Tensor expected = by_hand(queries, cache, row.past, row.lengths);
    EXPECT_TRUE(at::allclose(attention.attend_one_by_one(queries, cache), expected, 1e-12, 1e-12));
    EXPECT_TRUE(at::allclose(attention.attend_padded(queries, cache), expected, 1e-12, 1e-12));
  }
}

TEST(PackedAttention, NothingToReadGivesNothing) {
  Random random;
  const KeysAndValues cache = {random.rows(5), random.rows(5)};
  const PackedAttention attention({2, 3}, {0, 0}, at::kCPU);
  EXPECT_EQ(attention.attend_one_by_one(random.rows(0), cache).size(0), 0);
  EXPECT_EQ(attention.attend_padded(random.rows(0), cache).size(0), 0);
}

TEST(PackedAttention, NewKeysLieBehindTheirSequence) {
  Random random;
  const at::Tensor old_keys = random.rows(3), old_values = random.rows(3);
  const at::Tensor keys = random.rows(3), values = random.rows(3);
  KeysAndValues cache;
  PackedAttention({0, 0}, {1, 2}, at::kCPU).append(cache, old_keys, old_values);
  EXPECT_TRUE(cache.keys.equal(old_keys) && cache.values.equal(old_values));
  PackedAttention({1, 2}, {2, 1}, at::kCPU).append(cache, keys, values);
  const struct {
    const at::Tensor& keys;
    const at::Tensor& values;
    std::int64_t row;
  } expected[] = {{old_keys, old_values, 0}, {keys, values, 0},         {keys, values, 1},
                  {old_keys, old_values, 1}, {old_keys, old_values, 2}, {keys, values, 2}};
  ASSERT_EQ(cache.keys.size(0), 6);
  for (std::int64_t row = 0; row < 6; ++row) {
    EXPECT_TRUE(cache.keys[row].equal(expected[row].keys[expected[row].row])) << row;
    EXPECT_TRUE(cache.values[row].equal(expected[row].values[expected[row].row])) << row;
  }
}

}  // namespace
}  // namespace simba
