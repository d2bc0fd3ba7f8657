#include "csrc/model/gpt_neox/gpt_neox.h"

#include <ATen/Parallel.h>
#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>

#include "csrc/model/gpt_neox/state.h"
#include "tests/cpp/model/gpt_neox/random_gpt_neox.h"
#include "tests/cpp/model/random_model.h"
#include "tests/cpp/refusal.h"

namespace simba {
namespace {

using test::refuses;
using testing::one_sequence;
using testing::random_gpt_neox;
using testing::random_ids;
using testing::small_gpt_neox_config;

// Every configuration that a checkpoint may have, one difference a row.
std::vector<GptNeoXConfig> configurations() {
  std::vector<GptNeoXConfig> all(6, small_gpt_neox_config());
  all[1].parallel_residual = false;
  all[2].rotary_dim = 10;
  all[3].gelu_tanh = true;
  all[4].n_head = 1;
  all[4].rotary_dim = 30;
  all[5].d_mlp = 700;  // more than one block of the product
  return all;
}

PackedTokens three_sequences() {
  PackedTokens tokens;
  tokens.append(random_ids(21, 40, 1));
  tokens.append(random_ids(1, 40, 2));
  tokens.append(random_ids(50, 40, 3));
  return tokens;
}

TEST(GptNeoX, ABatchIsItsSequencesBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    for (const GptNeoXConfig& config : configurations()) {
      GptNeoX model = random_gpt_neox(config, dtype);
      const Prefill batch = model.prefill(three_sequences(), PruningPlan::dense());
      PackedTokens next;
      for (const std::int64_t length : {5, 0, 17}) next.append(random_ids(length, 40, 9));
      const at::Tensor logits = model.extend(*batch.state, next);
      const std::int64_t starts[] = {0, 5, 5};
      const PackedTokens contexts = three_sequences();
      std::int64_t begin = 0;
      for (std::int64_t s = 0; s < 3; ++s) {
        PackedTokens one;
        one.append(contexts.ids.data() + begin, contexts.lengths[s]);
        begin += contexts.lengths[s];
        const Prefill alone = model.prefill(one, PruningPlan::dense());
        EXPECT_TRUE(alone.last_logits[0].equal(batch.last_logits[s]));
        const at::Tensor after =
            model.extend(*alone.state, one_sequence(random_ids(next.lengths[s], 40, 9)));
        EXPECT_TRUE(after.equal(logits.narrow(0, starts[s], next.lengths[s])));
      }
    }
  }
}

TEST(GptNeoX, SplitAnywhereIsTheWhole) {
  for (const GptNeoXConfig& config : configurations()) {
    GptNeoX model = random_gpt_neox(config, at::kDouble);
    const auto ids = random_ids(30, 40, 4);
    const at::Tensor whole = model.prefill(one_sequence(ids), PruningPlan::dense()).last_logits;
    for (const std::int64_t cut : {1, 2, 15, 29}) {
      const Prefill prefill =
          model.prefill(one_sequence({ids.begin(), ids.begin() + cut}), PruningPlan::dense());
      const at::Tensor after =
          model.extend(*prefill.state, one_sequence({ids.begin() + cut, ids.end()}));
      EXPECT_TRUE(at::allclose(after.narrow(0, 29 - cut, 1), whole, 1e-9, 1e-9)) << cut;
    }
  }
}

TEST(GptNeoX, EverythingThatAConfigurationSaysMatters) {
  const auto tokens = one_sequence(random_ids(30, 40, 1));
  const auto logits = [&](const GptNeoXConfig& config) {
    return random_gpt_neox(config, at::kDouble).prefill(tokens, PruningPlan::dense()).last_logits;
  };
  const at::Tensor base = logits(small_gpt_neox_config());
  std::vector<GptNeoXConfig> changed(5, small_gpt_neox_config());
  changed[0].parallel_residual = false;
  changed[1].rotary_dim = 10;
  changed[2].rotary_base = 9;
  changed[3].norm_epsilon = 0.1;
  changed[4].gelu_tanh = true;
  for (const GptNeoXConfig& config : changed) EXPECT_FALSE(logits(config).equal(base));
}

TEST(GptNeoX, StatesAreIndexedAndNameTheirPlan) {
  GptNeoX model = random_gpt_neox(small_gpt_neox_config(), at::kFloat);
  const Prefill prefill = model.prefill(three_sequences(), PruningPlan::dense());
  EXPECT_EQ(prefill.state->plan(), "dense");
  const auto picked = prefill.state->index({2, 0, 2});
  EXPECT_EQ(picked->sequences(), 3);
  EXPECT_EQ(dynamic_cast<const GptNeoXState&>(*picked).lengths,
            (std::vector<std::int64_t>{50, 21, 50}));
  PackedTokens next;
  for (int s = 0; s < 3; ++s) next.append({3});
  const at::Tensor logits = model.extend(*picked, next);
  EXPECT_TRUE(logits[0].equal(logits[2]));
  EXPECT_FALSE(logits[0].equal(logits[1]));
  const at::Tensor others = model.extend(*prefill.state, next);
  EXPECT_TRUE(others[0].equal(logits[1]));
  EXPECT_TRUE(others[2].equal(logits[0]));
  EXPECT_TRUE(refuses("ids in [0, 3), got 3", [&] { prefill.state->index({3}); }));
}

TEST(GptNeoX, WhatItCannotDoIsRefused) {
  GptNeoX model = random_gpt_neox(small_gpt_neox_config(), at::kFloat);
  const PruningPlan dense = PruningPlan::dense();
  const Prefill prefill = model.prefill(one_sequence(random_ids(79, 40, 1)), dense);
  EXPECT_TRUE(refuses("expected dense, got recent linear r=0.5", [&] {
    model.prefill(one_sequence({1}),
                  PruningPlan::pruned(Schedule::parse("linear"), Retention::parse("0.5"),
                                      make_criterion("recent", {})));
  }));
  EXPECT_TRUE(refuses("at most 80 tokens, the positions that the model knows, got 81",
                      [&] { model.prefill(one_sequence(random_ids(81, 40, 1)), dense); }));
  EXPECT_TRUE(refuses("at most 80 tokens, the positions that the model knows, got 81", [&] {
    model.extend(*prefill.state, one_sequence({1, 2}));
  }));
  EXPECT_TRUE(refuses("ids in [0, 40)", [&] { model.prefill(one_sequence({40}), dense); }));
  EXPECT_TRUE(refuses("at least 1 token", [&] { model.prefill(one_sequence({}), dense); }));
  EXPECT_TRUE(refuses("the state's 1 sequences, got 3",
                      [&] { model.extend(*prefill.state, three_sequences()); }));
  Simba mamba = testing::random_model(testing::small_config(), at::kFloat);
  const Prefill other = mamba.prefill(one_sequence({1}), dense);
  EXPECT_TRUE(refuses("a state made by this model's prefill",
                      [&] { model.extend(*other.state, one_sequence({1})); }));
  EXPECT_TRUE(refuses("a state made by this model's prefill",
                      [&] { mamba.extend(*prefill.state, one_sequence({1})); }));
  // Nothing was read by the calls that failed.
  EXPECT_EQ(model.extend(*prefill.state, one_sequence({1})).size(0), 1);
}

TEST(GptNeoX, ResultsDoNotDependOnThreads) {
  const int before = at::get_num_threads();
  std::vector<at::Tensor> logits;
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    GptNeoX model = random_gpt_neox(small_gpt_neox_config(), at::kFloat);
    logits.push_back(model.prefill(three_sequences(), PruningPlan::dense()).last_logits);
  }
  at::set_num_threads(before);
  EXPECT_TRUE(logits[1].equal(logits[0]));
  EXPECT_TRUE(logits[2].equal(logits[0]));
}

}  // namespace
}  // namespace simba
