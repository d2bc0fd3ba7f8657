#include "csrc/model/simba.h"

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "csrc/input_error.h"
#include "csrc/model/mamba_state.h"
#include "tests/cpp/model/random_model.h"

namespace simba {
namespace {

using testing::one_sequence;
using testing::random_ids;
using testing::random_model;
using testing::small_config;

PruningPlan pruned(const std::string& criterion, const char* retention = "0.1") {
  return PruningPlan::pruned(Schedule::parse("linear"), Retention::parse(retention),
                             make_criterion(criterion, {}));
}

void expect_equal_states(const State& a, const State& b) {
  const auto& left = dynamic_cast<const MambaState&>(a);
  const auto& right = dynamic_cast<const MambaState&>(b);
  ASSERT_EQ(left.layers.size(), right.layers.size());
  EXPECT_EQ(left.lengths, right.lengths);
  for (std::size_t l = 0; l < left.layers.size(); ++l) {
    EXPECT_TRUE(left.layers[l].ssm.equal(right.layers[l].ssm)) << "ssm state of layer " << l;
    EXPECT_TRUE(left.layers[l].conv.equal(right.layers[l].conv)) << "conv state of layer " << l;
  }
}

class Recorder final : public Observer {
 public:
  void saw(std::int64_t layer, const Tokens& tokens, const SsmInputs& inputs,
           const Kept& kept) override {
    EXPECT_EQ(layer, static_cast<std::int64_t>(entering.size()));
    entering.push_back(inputs.u.size(1));
    leaving.push_back(tokens.count());
    positions.push_back(tokens.positions);
    kept_indices.push_back(kept.indices);
  }
  std::vector<std::int64_t> entering, leaving;
  std::vector<at::Tensor> positions, kept_indices;
};

// Every configuration that a checkpoint may have, one difference a row.
std::vector<MambaConfig> configurations() {
  std::vector<MambaConfig> all(6, small_config());
  all[1].rms_norm = false;
  all[2].d_state = 3;
  all[3].d_conv = 2;
  all[4].tie_embeddings = false;
  all[5].n_layer = 1;
  return all;
}

TEST(Simba, SplitAnywhereEqualsWhole) {
  for (const MambaConfig& config : configurations()) {
    Simba model = random_model(config, at::kFloat);
    const auto ids = random_ids(70, config.vocab_size, 2);
    Prefill whole = model.prefill(one_sequence(ids), PruningPlan::dense());
    for (const std::int64_t split : {1, 2, 3, 16, 33, 69}) {
      Prefill part =
          model.prefill(one_sequence({ids.begin(), ids.begin() + split}), PruningPlan::dense());
      const at::Tensor logits =
          model.extend(*part.state, one_sequence({ids.begin() + split, ids.end()}));
      EXPECT_TRUE(logits[-1].equal(whole.last_logits[0])) << split;
      expect_equal_states(*part.state, *whole.state);
    }
  }
}

TEST(Simba, OneTokenAtATimeEqualsWhole) {
  Simba model = random_model(small_config(), at::kFloat);
  const auto ids = random_ids(20, 40, 3);
  Prefill whole = model.prefill(one_sequence(ids), PruningPlan::dense());
  Prefill step = model.prefill(one_sequence({ids[0]}), PruningPlan::dense());
  at::Tensor logits;
  for (std::size_t t = 1; t < ids.size(); ++t)
    logits = model.extend(*step.state, one_sequence({ids[t]}));
  EXPECT_TRUE(logits[0].equal(whole.last_logits[0]));
}

TEST(Simba, BatchOfNEqualsNBatchesOfOne) {
  const std::vector<std::int64_t> lengths = {1, 37, 64, 5, 129};
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    Simba model = random_model(small_config(), dtype);
    for (const PruningPlan& plan : {PruningPlan::dense(), pruned("influence"), pruned("delta_norm"),
                                    pruned("spaced"), pruned("random")}) {
      PackedTokens contexts, continuations;
      for (std::size_t s = 0; s < lengths.size(); ++s) {
        contexts.append(random_ids(lengths[s], 40, 10 + s));
        continuations.append(random_ids(static_cast<std::int64_t>(s), 40, 20 + s));
      }
      const Prefill batch = model.prefill(contexts, plan.with_documents({5, 6, 7, 8, 9}));
      const at::Tensor batch_logits = model.extend(*batch.state, continuations);
      std::int64_t row = 0;
      for (std::size_t s = 0; s < lengths.size(); ++s) {
        const auto document = static_cast<std::int64_t>(5 + s);
        const Prefill single = model.prefill(one_sequence(random_ids(lengths[s], 40, 10 + s)),
                                             plan.with_documents({document}));
        EXPECT_TRUE(single.last_logits[0].equal(batch.last_logits[s])) << plan.name() << " " << s;
        const auto count = static_cast<std::int64_t>(s);
        const at::Tensor logits =
            model.extend(*single.state, one_sequence(random_ids(count, 40, 20 + s)));
        EXPECT_TRUE(logits.equal(batch_logits.narrow(0, row, count))) << plan.name() << " " << s;
        row += count;
      }
    }
  }
}

// Alone, the short context loses no token in the first layers.
TEST(Simba, AShortContextIsTheSameBesideOneThatIsPruned) {
  Simba model = random_model(small_config(), at::kBFloat16);
  const PruningPlan plan = pruned("influence");
  PackedTokens both;
  both.append(random_ids(3, 40, 1));
  both.append(random_ids(64, 40, 2));
  const Prefill single = model.prefill(one_sequence(random_ids(3, 40, 1)), plan);
  EXPECT_TRUE(single.last_logits[0].equal(model.prefill(both, plan).last_logits[0]));
}

TEST(Simba, TokensAreDroppedAsTheScheduleSays) {
  Simba model = random_model(small_config(), at::kFloat);
  const PruningPlan plan = pruned("influence");
  Recorder recorder;
  model.prefill(one_sequence(random_ids(50, 40, 1)), plan, &recorder);
  const auto expected = plan.tokens_per_layer(50, 5);
  EXPECT_EQ(recorder.entering, expected);
  EXPECT_EQ(recorder.leaving,
            (std::vector<std::int64_t>{expected[1], expected[2], expected[3], expected[4], 1}));
  for (const at::Tensor& positions : recorder.positions)
    EXPECT_EQ(positions[-1].item<std::int64_t>(), 49);
}

TEST(Simba, RetentionOneIsDense) {
  Simba model = random_model(small_config(), at::kFloat);
  const PruningPlan plan = pruned("influence", "1");
  EXPECT_TRUE(plan.is_dense());
  const auto tokens = one_sequence(random_ids(30, 40, 1));
  EXPECT_TRUE(model.prefill(tokens, plan)
                  .last_logits.equal(model.prefill(tokens, PruningPlan::dense()).last_logits));
}

TEST(Simba, PruningChangesTheResult) {
  Simba model = random_model(small_config(), at::kFloat);
  const auto tokens = one_sequence(random_ids(200, 40, 1));
  EXPECT_FALSE(model.prefill(tokens, pruned("spaced"))
                   .last_logits.equal(model.prefill(tokens, PruningPlan::dense()).last_logits));
}

TEST(Simba, ForcedIndicesRepeatARun) {
  Simba model = random_model(small_config(), at::kFloat);
  PackedTokens tokens;
  tokens.append(random_ids(50, 40, 1));
  tokens.append(random_ids(21, 40, 2));
  Recorder recorder;
  const Prefill free = model.prefill(tokens, pruned("random"), &recorder);
  const PruningPlan forced = pruned("influence").with_forced_indices(recorder.kept_indices);
  EXPECT_TRUE(model.prefill(tokens, forced).last_logits.equal(free.last_logits));
  EXPECT_THROW(model.prefill(one_sequence(random_ids(50, 40, 1)), forced), InputError);
}

TEST(Simba, StatesAreIndexedAndNameTheirPlan) {
  Simba model = random_model(small_config(), at::kFloat);
  PackedTokens tokens;
  tokens.append(random_ids(9, 40, 1));
  tokens.append(random_ids(21, 40, 2));
  const Prefill prefill = model.prefill(tokens, pruned("recent"));
  EXPECT_EQ(prefill.state->plan(), "recent linear r=0.1");
  const auto twice = prefill.state->index({1, 0, 1});
  EXPECT_EQ(twice->sequences(), 3);
  EXPECT_EQ(twice->plan(), prefill.state->plan());
  PackedTokens next;
  for (const std::int64_t id : {3, 4, 3}) next.append({id});
  const at::Tensor logits = model.extend(*twice, next);
  EXPECT_TRUE(logits[0].equal(logits[2]));
  EXPECT_FALSE(logits[0].equal(logits[1]));
  EXPECT_THROW(prefill.state->index({2}), InputError);
}

TEST(Simba, BadTokensAreRefused) {
  Simba model = random_model(small_config(), at::kFloat);
  const Prefill prefill = model.prefill(one_sequence({1, 2, 3}), PruningPlan::dense());
  EXPECT_THROW(model.prefill(one_sequence({1, 40}), PruningPlan::dense()), InputError);
  EXPECT_THROW(model.prefill(one_sequence({-1}), PruningPlan::dense()), InputError);
  EXPECT_THROW(model.prefill(one_sequence({}), PruningPlan::dense()), InputError);
  PackedTokens two;
  two.append({1});
  two.append({2});
  EXPECT_THROW(model.extend(*prefill.state, two), InputError);
}

}  // namespace
}  // namespace simba
