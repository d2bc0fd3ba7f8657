#include "eval/overlap.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/cpp/eval/fake_model.h"

namespace simba::eval {
namespace {

CutCounts overlap_of(const std::string& criterion, const std::vector<std::int64_t>& lengths) {
  FakeModel model;
  const PruningPlan plan = PruningPlan::pruned(Schedule(), Retention::parse("0.25"),
                                               make_criterion(criterion, CriterionOptions()));
  PackedTokens tokens;
  for (const std::int64_t length : lengths) {
    tokens.append(std::vector<std::int64_t>(static_cast<std::size_t>(length), 3));
  }
  RecentOverlap observer(model.n_layer());
  model.prefill(tokens, plan, &observer);
  CutCounts counts;
  observer.add_to(counts);
  return counts;
}

TEST(Overlap, RecentOverlapsItselfInFull) {
  const CutCounts counts = overlap_of("recent", {16, 40});
  EXPECT_EQ(counts.size(), 3u);  // the read after the last layer is no cut
  for (const auto& [layer, cut] : counts) EXPECT_EQ(cut.recent, cut.kept);
  EXPECT_EQ(counts.at(2).kept, 4 + 10);
  EXPECT_EQ(mean_overlap(counts), 1);
}

TEST(Overlap, ChanceOverlapIsTheShareKept) {
  // 1000 tokens to 750, 500, 250: a random subset shares about these parts with the newest ones.
  const CutCounts counts = overlap_of("random", {1000});
  EXPECT_NEAR(counts.at(0).overlap(), 0.75, 0.06);
  EXPECT_NEAR(counts.at(1).overlap(), 0.50, 0.08);
  EXPECT_NEAR(counts.at(2).overlap(), 0.25, 0.10);
  EXPECT_NEAR(mean_overlap(counts), 0.5, 0.08);
}

TEST(Overlap, ComparesOriginalPositionsWithTheNewestOfTheContext) {
  RecentOverlap observer(4);
  SsmInputs inputs;
  Tokens tokens;
  Kept kept;
  inputs.lengths = {8};
  kept.lengths = {4};
  kept.indices = at::tensor({0, 4, 6, 7}, at::kLong).unsqueeze(0);
  tokens.positions = at::tensor({0, 4, 6, 7}, at::kLong);
  observer.saw(0, tokens, inputs, kept);
  // The two newest of what is left, 6 and 7, are the two newest of all; 4 and 7 are not.
  inputs.lengths = {4};
  kept.lengths = {2};
  kept.indices = at::tensor({1, 3}, at::kLong).unsqueeze(0);
  tokens.positions = at::tensor({4, 7}, at::kLong);
  observer.saw(1, tokens, inputs, kept);
  CutCounts counts;
  observer.add_to(counts);
  EXPECT_EQ(counts.at(0).recent, 3);
  EXPECT_EQ(counts.at(1).recent, 1);
  EXPECT_DOUBLE_EQ(mean_overlap(counts), (0.75 + 0.5) / 2);
}

TEST(Overlap, SequencesThatDropNothingDoNotCount) {
  // One token stays one token at every cut.
  EXPECT_EQ(overlap_of("recent", {1}).size(), 0u);
  EXPECT_EQ(mean_overlap({}), 1);
}

}  // namespace
}  // namespace simba::eval
