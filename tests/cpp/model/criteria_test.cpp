#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "csrc/input_error.h"
#include "csrc/model/criterion.h"
#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

using Indices = std::vector<std::int64_t>;

Indices values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.reshape({-1}).contiguous();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

SsmInputs inputs_of(const Indices& lengths, std::int64_t D = 2) {
  std::int64_t rows = 0;
  for (const std::int64_t length : lengths) rows += length;
  SsmInputs inputs;
  inputs.u = at::ones({1, rows, D});
  inputs.delta = at::zeros({1, rows, D});
  inputs.B = at::ones({1, rows, 1});
  inputs.C = at::ones({1, rows, 1});
  inputs.A = at::full({D, 1}, -1.0);
  inputs.delta_bias = at::zeros({D});
  inputs.cu_seqlens = make_cu_seqlens(lengths, at::kCPU);
  inputs.lengths = lengths;
  return inputs;
}

Indices selected(const std::string& name, const SsmInputs& inputs, const Indices& keep,
                 const CriterionOptions& options = {}, std::int64_t layer = 0,
                 Indices documents = {}) {
  documents.resize(keep.size());
  const Kept kept = make_criterion(name, options)->select(inputs, keep, layer, documents);
  EXPECT_EQ(kept.lengths, keep);
  EXPECT_TRUE(kept.cu_seqlens.equal(make_cu_seqlens(keep, at::kCPU)));
  return values(kept.indices);
}

TEST(Criteria, RecentKeepsTheNewestOfEachSequence) {
  EXPECT_EQ(selected("recent", inputs_of({5, 3}), {2, 3}), (Indices{3, 4, 5, 6, 7}));
}

TEST(Criteria, SpacedFollowsItsFormula) {
  // floor((i + 1) 10 / 4) - 1
  EXPECT_EQ(selected("spaced", inputs_of({10}), {4}), (Indices{1, 4, 6, 9}));
  EXPECT_EQ(selected("spaced", inputs_of({2, 10}), {1, 3}), (Indices{1, 4, 7, 11}));
}

TEST(Criteria, RandomKeepsTheLastAndDependsOnItsKeyAlone) {
  const CriterionOptions seeded{.seed = 7};
  const Indices alone = selected("random", inputs_of({50}), {10}, seeded, 3, {42});
  EXPECT_EQ(alone.size(), 10u);
  EXPECT_EQ(alone.back(), 49);
  EXPECT_TRUE(std::is_sorted(alone.begin(), alone.end()));
  Indices second = selected("random", inputs_of({20, 50}), {5, 10}, seeded, 3, {1, 42});
  second.erase(second.begin(), second.begin() + 5);
  for (auto& index : second) index -= 20;
  EXPECT_EQ(second, alone);
  EXPECT_NE(selected("random", inputs_of({50}), {10}, seeded, 4, {42}), alone);
  EXPECT_NE(selected("random", inputs_of({50}), {10}, seeded, 3, {43}), alone);
  EXPECT_NE(selected("random", inputs_of({50}), {10}, {.seed = 8}, 3, {42}), alone);
}

TEST(Criteria, RandomIsUniformOverPositions) {
  std::vector<int> hits(20, 0);
  for (std::int64_t document = 0; document < 2000; ++document) {
    for (const std::int64_t i : selected("random", inputs_of({20}), {6}, {}, 0, {document}))
      ++hits[i];
  }
  EXPECT_EQ(hits[19], 2000);
  // 5 of the first 19: 526 expected, standard deviation 20.
  for (int i = 0; i < 19; ++i) EXPECT_NEAR(hits[i], 526, 100) << i;
}

TEST(Criteria, DeltaRanksByMeanAndDeltaNormByNorm) {
  SsmInputs inputs = inputs_of({4});
  // Token 0: one very large channel; token 1: both channels middling; tokens 2, 3: small.
  inputs.delta.select(1, 0).select(1, 0).fill_(5);
  inputs.delta.select(1, 0).select(1, 1).fill_(-9);
  inputs.delta.select(1, 1).fill_(3);
  inputs.delta.select(1, 2).fill_(-9);
  inputs.delta.select(1, 3).fill_(-9);
  EXPECT_EQ(selected("delta_norm", inputs, {2}), (Indices{0, 3}));
  EXPECT_EQ(selected("delta", inputs, {2}), (Indices{1, 3}));
}

TEST(Criteria, DeltaDoesNotDependOnThreads) {
  SsmInputs inputs = inputs_of({301}, 77);
  inputs.delta = at::randn({1, 301, 77}, at::detail::createCPUGenerator(1));
  const int threads_before = at::get_num_threads();
  for (const char* name : {"delta", "delta_norm"}) {
    std::vector<at::Tensor> scores;
    for (const int threads : {1, 3, 5}) {
      at::set_num_threads(threads);
      scores.push_back(make_criterion(name, {})->select(inputs, {100}, 0, {0}).scores);
    }
    at::set_num_threads(threads_before);
    EXPECT_TRUE(scores[0].equal(scores[1]) && scores[0].equal(scores[2])) << name;
  }
}

TEST(Criteria, InfluenceOfEqualInputsFallsWithAge) {
  EXPECT_EQ(selected("influence", inputs_of({6}), {3}), (Indices{3, 4, 5}));
}

TEST(Criteria, InfluenceWithoutDecaySeesOnlyTheInput) {
  SsmInputs inputs = inputs_of({6});
  inputs.u.select(1, 1).fill_(-8);
  EXPECT_EQ(selected("influence", inputs, {2}, {.decay = "none"}), (Indices{1, 5}));
  EXPECT_EQ(selected("influence", inputs, {2}), (Indices{4, 5}));
}

TEST(Criteria, NamesCarryOnlyTheOptionsThatMatter) {
  const CriterionOptions options{.decay = "full", .reduction = "l2", .seed = 3};
  EXPECT_EQ(make_criterion("influence", options)->name(), "influence(decay=full,reduction=l2)");
  EXPECT_EQ(make_criterion("recent", options)->name(), "recent");
  EXPECT_EQ(make_criterion("random", options)->name(), "random(seed=3)");
}

TEST(Criteria, UnknownNamesAndOptionsAreRefused) {
  EXPECT_THROW(make_criterion("newest", {}), InputError);
  EXPECT_THROW(make_criterion("influence", {.decay = "half"}), InputError);
  EXPECT_THROW(make_criterion("influence", {.reduction = "mean"}), InputError);
}

}  // namespace
}  // namespace simba
