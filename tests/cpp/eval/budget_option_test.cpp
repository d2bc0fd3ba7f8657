#include "eval/budget_option.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

TEST(BudgetOption, SharesAndFlops) {
  const auto budgets = parse_budgets("--budget", "0.6,12.3GFLOP,1,7FLOP,2e-1PFLOP");
  ASSERT_EQ(budgets.size(), 5u);
  EXPECT_DOUBLE_EQ(budgets[0].flops(100), 60);
  EXPECT_DOUBLE_EQ(budgets[1].flops(100), 12.3e9);
  EXPECT_DOUBLE_EQ(budgets[2].flops(100), 100);
  EXPECT_DOUBLE_EQ(budgets[3].flops(100), 7);
  EXPECT_DOUBLE_EQ(budgets[4].flops(100), 2e14);
  EXPECT_EQ(budgets[1].text, "12.3GFLOP");
}

TEST(BudgetOption, RefusesEverythingElse) {
  for (const char* text : {"0", "-0.5", "1.5", "0.6x", "GFLOP", "3 GFLOP", "nan", "inf", "0GFLOP",
                           "1e400FLOP", "12GFLOPS", "0.6,", ""}) {
    EXPECT_TRUE(refuses("--budget: ", [text] { parse_budgets("--budget", text); })) << text;
  }
  EXPECT_TRUE(refuses("0.6 is given twice", [] { parse_budgets("--budget", "0.6,0.6"); }));
}

}  // namespace
}  // namespace simba::eval
