#include "csrc/model/gpt_neox/shape.h"

#include <gtest/gtest.h>

#include "csrc/model/budget.h"
#include "tests/cpp/refusal.h"

namespace simba {
namespace {

using test::refuses;

GptNeoXConfig tiny() {
  GptNeoXConfig config;
  config.d_model = 6;
  config.n_layer = 2;
  config.n_head = 3;
  config.d_mlp = 10;
  config.vocab_size = 7;
  config.max_length = 100;
  return config;
}

TEST(GptNeoXShape, CountsByHand) {
  const GptNeoXShape shape(tiny());
  // query_key_value 2*6*18, attention_out 2*6*6, MLP 2*6*10 twice
  const double token = 216 + 72 + 240;
  const double pair = 2 * 6 + 2 * 6;  // scores, values
  const FlopCount count = shape.flops(4, PruningPlan::dense(), 2);
  EXPECT_EQ(count.prefill, 2 * (4 * token + (1 + 2 + 3 + 4) * pair));
  EXPECT_EQ(count.continuation, 2 * (2 * token + (5 + 6) * pair));
  EXPECT_EQ(count.head, 3 * 2 * 6 * 7);
  EXPECT_EQ(count.scores, 0);
}

TEST(GptNeoXShape, CountsParametersByHand) {
  GptNeoXConfig config = tiny();
  const std::int64_t table = 7 * 6;
  const std::int64_t layer = 2 * 12 + (6 * 18 + 18) + (6 * 6 + 6) + (6 * 10 + 10) + (10 * 6 + 6);
  EXPECT_EQ(GptNeoXShape(config).parameters(), 2 * table + 2 * layer + 12);
  config.tie_embeddings = true;
  config.attention_bias = false;
  EXPECT_EQ(GptNeoXShape(config).parameters(), table + 2 * (layer - 18 - 6) + 12);
}

TEST(GptNeoXShape, BudgetsAreMetByTruncationAlone) {
  const GptNeoXShape shape(tiny());
  const std::vector<RunItem> run(3, {90, 5});
  const double dense = run_flops(shape, run, PruningPlan::dense()).total();
  std::vector<RunItem> truncated = run;
  const auto contexts = solve_truncation(shape, run, 0.5 * dense);
  for (std::size_t i = 0; i < run.size(); ++i) truncated[i].context = contexts[i];
  EXPECT_NEAR(run_flops(shape, truncated, PruningPlan::dense()).total() / dense, 0.5, 0.005);
  EXPECT_TRUE(refuses("a GPT-NeoX model reads every token", [&] {
    solve_retention(shape, run, Schedule::parse("linear"), make_criterion("recent", {}), dense);
  }));
}

}  // namespace
}  // namespace simba
