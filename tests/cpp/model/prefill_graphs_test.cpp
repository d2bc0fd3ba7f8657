#include "csrc/model/prefill_graphs.h"

#include <gtest/gtest.h>

#include "csrc/model/mamba_state.h"
#include "csrc/model/packed_layout.h"
#include "tests/cpp/model/fake_capture.h"
#include "tests/cpp/model/random_model.h"

namespace simba {
namespace {

using testing::CaptureCounts;
using testing::fake_capture;
using testing::one_sequence;
using testing::random_ids;
using testing::random_model;
using testing::small_config;

PruningPlan pruned(const std::string& criterion, std::int64_t seed = 0) {
  CriterionOptions options;
  options.seed = seed;
  return PruningPlan::pruned(Schedule::parse("linear"), Retention::parse("0.2"),
                             make_criterion(criterion, options));
}

PackedTokens contexts(const std::vector<std::int64_t>& lengths, std::uint64_t seed) {
  PackedTokens tokens;
  for (const std::int64_t length : lengths) tokens.append(random_ids(length, 40, ++seed));
  return tokens;
}

void expect_same(const Prefill& a, const Prefill& b) {
  EXPECT_TRUE(a.last_logits.equal(b.last_logits));
  const auto& left = dynamic_cast<const MambaState&>(*a.state);
  const auto& right = dynamic_cast<const MambaState&>(*b.state);
  EXPECT_EQ(left.lengths, right.lengths);
  EXPECT_EQ(left.plan(), right.plan());
  ASSERT_EQ(left.layers.size(), right.layers.size());
  for (std::size_t l = 0; l < left.layers.size(); ++l) {
    EXPECT_TRUE(left.layers[l].ssm.equal(right.layers[l].ssm)) << "ssm of layer " << l;
    EXPECT_TRUE(left.layers[l].conv.equal(right.layers[l].conv)) << "conv of layer " << l;
  }
}

TEST(PrefillGraphs, ReplaysEqualPassesAsTheyAre) {
  Simba plain = random_model(small_config(), at::kFloat);
  const std::vector<std::vector<std::int64_t>> shapes = {{50}, {50, 7, 31}};
  std::vector<PruningPlan> plans = {PruningPlan::dense()};
  for (const std::string& name : criterion_names()) plans.push_back(pruned(name));
  for (const PruningPlan& plan : plans) {
    for (const auto& lengths : shapes) {
      SCOPED_TRACE(plan.name());
      CaptureCounts counts;
      Simba model = random_model(small_config(), at::kFloat);
      model.capture_prefills(std::make_shared<PrefillGraphs>(4, fake_capture(counts)));
      std::vector<Prefill> ours, expected;
      for (std::uint64_t pass = 0; pass < 4; ++pass) {
        const PackedTokens tokens = contexts(lengths, 100 * pass);  // other ids in every pass
        ours.push_back(model.prefill(tokens, plan));
        expected.push_back(plain.prefill(tokens, plan));
      }
      // Compared at the end: no pass touches the results of one before it.
      for (std::size_t pass = 0; pass < 4; ++pass) expect_same(ours[pass], expected[pass]);
      EXPECT_EQ(counts.captures, 1);
      EXPECT_EQ(counts.replays, 3);
      // A state from a graph goes on like any other.
      EXPECT_TRUE(model.extend(*ours[3].state, contexts(lengths, 7))
                      .equal(plain.extend(*expected[3].state, contexts(lengths, 7))));
    }
  }
}

TEST(PrefillGraphs, EveryShapeAndPlanHasItsOwn) {
  Simba plain = random_model(small_config(), at::kFloat);
  Simba model = random_model(small_config(), at::kFloat);
  CaptureCounts counts;
  auto graphs = std::make_shared<PrefillGraphs>(8, fake_capture(counts));
  model.capture_prefills(graphs);
  const std::vector<PruningPlan> plans = {PruningPlan::dense(), pruned("recent"),
                                          pruned("random", 1), pruned("random", 2),
                                          pruned("random", 1).with_documents({3, 4})};
  for (int pass = 0; pass < 3; ++pass) {
    for (const PruningPlan& plan : plans) {
      const PackedTokens tokens = contexts({40, 12}, pass);
      expect_same(model.prefill(tokens, plan), plain.prefill(tokens, plan));
    }
  }
  EXPECT_EQ(graphs->captured(), plans.size());
  // The same number of tokens, cut elsewhere.
  model.prefill(contexts({12, 40}, 1), PruningPlan::dense());
  model.prefill(contexts({12, 40}, 2), PruningPlan::dense());
  EXPECT_EQ(graphs->captured(), plans.size() + 1);
}

TEST(PrefillGraphs, TheLeastRecentlyUsedIsGivenUp) {
  Simba model = random_model(small_config(), at::kFloat);
  CaptureCounts counts;
  auto graphs = std::make_shared<PrefillGraphs>(2, fake_capture(counts));
  model.capture_prefills(graphs);
  const auto read = [&](std::int64_t length) {
    model.prefill(contexts({length}, 1), PruningPlan::dense());
  };
  for (const std::int64_t length : {10, 10, 11, 11, 10, 12, 12}) read(length);
  EXPECT_EQ(graphs->captured(), 2u);
  EXPECT_EQ(counts.captures, 3);
  read(10);  // used after 11: still there
  EXPECT_EQ(counts.captures, 3);
  read(11);
  EXPECT_EQ(counts.captures, 4);
  EXPECT_EQ(graphs->captured(), 2u);
  // Shapes that never come again are forgotten too.
  for (std::int64_t length = 20; length < 40; ++length) read(length);
  read(20);
  EXPECT_EQ(counts.captures, 4);
}

TEST(PrefillGraphs, ObserversAndForcedIndicesGoAround) {
  Simba model = random_model(small_config(), at::kFloat);
  CaptureCounts counts;
  model.capture_prefills(std::make_shared<PrefillGraphs>(2, fake_capture(counts)));
  struct Counter final : Observer {
    void saw(std::int64_t, const Tokens& tokens, const SsmInputs&, const Kept& kept) override {
      EXPECT_TRUE(tokens.positions.defined());
      indices.push_back(kept.indices);
    }
    std::vector<at::Tensor> indices;
  } counter;
  const PackedTokens tokens = contexts({30}, 1);
  model.prefill(tokens, pruned("recent"), &counter);
  EXPECT_EQ(counter.indices.size(), 5u);
  const PruningPlan forced = pruned("recent").with_forced_indices(counter.indices);
  for (int pass = 0; pass < 3; ++pass) model.prefill(tokens, forced);
  EXPECT_EQ(counts.captures, 0);
}

TEST(DeviceConstants, OneTensorForTheSameValues) {
  DeviceConstants constants;
  const at::Device cpu(at::kCPU);
  const at::Tensor outside = make_index({1, 2}, cpu);
  {
    const DeviceConstants::Scope scope(constants);
    const at::Tensor first = make_index({1, 2}, cpu);
    EXPECT_TRUE(first.is_same(make_index({1, 2}, cpu)));
    EXPECT_FALSE(first.is_same(outside));
    EXPECT_FALSE(first.is_same(make_index({2, 1}, cpu)));
    EXPECT_EQ(make_cu_seqlens({1, 2}, cpu).scalar_type(), at::kInt);
    EXPECT_EQ(constants.size(), 3u);
    EXPECT_EQ(DeviceConstants::current(), &constants);
  }
  EXPECT_EQ(DeviceConstants::current(), nullptr);
}

}  // namespace
}  // namespace simba
