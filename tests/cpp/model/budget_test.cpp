#include "csrc/model/budget.h"

#include <gtest/gtest.h>

#include "csrc/input_error.h"
#include "csrc/model/mamba_flops.h"
#include "tests/cpp/model/random_model.h"

namespace simba {
namespace {

MambaConfig mamba_26m() {
  MambaConfig config;
  config.d_model = 384;
  config.n_layer = 24;
  config.vocab_size = 8192;
  config.d_inner = 768;
  config.dt_rank = 24;
  return config;
}

PruningPlan pruned(const char* retention, const char* criterion = "influence") {
  return PruningPlan::pruned(Schedule::parse("linear"), Retention::parse(retention),
                             make_criterion(criterion, {}));
}

TEST(MambaFlops, CountsOneTokenByHand) {
  MambaConfig config;
  config.d_model = 3;
  config.n_layer = 2;
  config.vocab_size = 7;
  config.d_state = 5;
  config.d_conv = 4;
  config.d_inner = 6;
  config.dt_rank = 2;
  const FlopCount count = mamba_flops(config, 1, PruningPlan::dense(), 3);
  // in_proj 2*3*12, conv 2*4*6, x_proj 2*6*12, dt_proj 2*2*6, scan 9*6*5, out_proj 2*6*3
  const double layer = 72 + 48 + 144 + 24 + 270 + 36;
  EXPECT_EQ(count.prefill, 2 * layer);
  EXPECT_EQ(count.scores, 0);
  EXPECT_EQ(count.continuation, 3 * 2 * layer);
  EXPECT_EQ(count.head, 4 * 2 * 3 * 7);
}

TEST(MambaFlops, SharesOfA24LayerModelAtRetentionOneTenth) {
  const double dense = mamba_flops(mamba_26m(), 2048, PruningPlan::dense(), 0).prefill;
  const FlopCount pruned_count = mamba_flops(mamba_26m(), 2048, pruned("0.1"), 0);
  EXPECT_NEAR(pruned_count.prefill / dense, 0.538, 0.0005);
  EXPECT_NEAR(pruned_count.prefill_with_scores() / dense, 0.558, 0.0005);
  EXPECT_EQ(mamba_flops(mamba_26m(), 2048, pruned("0.1", "recent"), 0).scores, 0);
}

class BudgetTest : public ::testing::Test {
 protected:
  Simba model = testing::random_model(testing::small_config(), at::kFloat);
  std::vector<RunItem> run = {{300, 5}, {300, 5}, {40, 0}, {1000, 20}};
  std::shared_ptr<const Criterion> influence = make_criterion("influence", {});
  Schedule linear = Schedule::parse("linear");
  double dense = run_flops(model, run, PruningPlan::dense()).total();
};

TEST_F(BudgetTest, SolvedRetentionMeetsTheRunTotal) {
  for (const double share : {0.65, 0.75, 0.9, 1.0}) {
    const Retention r = solve_retention(model, run, linear, influence, share * dense);
    const double total = run_flops(model, run, PruningPlan::pruned(linear, r, influence)).total();
    EXPECT_NEAR(total / dense, share, 0.01 * share) << r.text();
  }
}

TEST_F(BudgetTest, SolvedTruncationMeetsTheRunTotal) {
  for (const double share : {0.1, 0.5, 0.9, 1.0}) {
    const auto contexts = solve_truncation(model, run, share * dense);
    std::vector<RunItem> truncated = run;
    for (std::size_t i = 0; i < run.size(); ++i) truncated[i].context = contexts[i];
    EXPECT_EQ(contexts[0], contexts[1]);
    EXPECT_NEAR(run_flops(model, truncated, PruningPlan::dense()).total() / dense, share,
                0.01 * share);
  }
}

TEST_F(BudgetTest, AnUnreachableBudgetNamesTheRange) {
  for (const double share : {0.2, 1.3}) {
    try {
      solve_retention(model, run, linear, influence, share * dense);
      ADD_FAILURE() << share;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("GFLOP]"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(solve_truncation(model, run, 1.1 * dense), InputError);
  EXPECT_THROW(solve_truncation(model, run, 0.001 * dense), InputError);
}

}  // namespace
}  // namespace simba
