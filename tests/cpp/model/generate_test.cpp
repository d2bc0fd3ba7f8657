#include "csrc/model/generate.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cpp/model/fake_capture.h"
#include "tests/cpp/model/random_model.h"
#include "tests/cpp/refusal.h"

namespace simba {
namespace {

using testing::CaptureCounts;
using testing::fake_capture;
using testing::random_ids;
using testing::random_model;
using testing::small_config;

using Tokens2d = std::vector<std::vector<std::int64_t>>;

PackedTokens contexts(const std::vector<std::uint64_t>& seeds) {
  PackedTokens tokens;
  for (const std::uint64_t seed : seeds) {
    tokens.append(random_ids(5 + static_cast<std::int64_t>(seed) * 4, 40, seed));
  }
  return tokens;
}

// Token by token through extend, which knows nothing of decoding.
Tokens2d by_extending(Simba& model, Prefill prefill, const GenerateOptions& options) {
  const std::int64_t sequences = prefill.state->sequences();
  Tokens2d tokens(sequences);
  at::Tensor logits = prefill.last_logits;
  for (std::int64_t step = 0; step < options.max_new_tokens; ++step) {
    PackedTokens next;
    for (std::int64_t s = 0; s < sequences; ++s) {
      const std::int64_t stream = options.streams.empty() ? s : options.streams[s];
      const at::Tensor x = at::full({1}, uniform(options.sampling.seed, stream, step),
                                    at::TensorOptions(at::kDouble));
      const auto id =
          choose_tokens(logits.narrow(0, s, 1), options.sampling, x).item<std::int64_t>();
      tokens[s].push_back(id);
      next.append({id});
    }
    logits = model.extend(*prefill.state, next);
  }
  return tokens;
}

// Every way to run: as it is, and in captured calls of several steps.
void for_each_generator(const Simba& model, const std::function<void(Generator&)>& run) {
  {
    SCOPED_TRACE("as it is");
    Generator generator(model);
    run(generator);
  }
  for (const std::int64_t steps : {1, 3, 8}) {
    SCOPED_TRACE(::testing::Message() << "captured, " << steps << " steps");
    CaptureCounts counts;
    Generator generator(model, steps, fake_capture(counts));
    run(generator);
    EXPECT_GE(counts.captures, 1);
  }
}

std::vector<MambaConfig> configurations() {
  std::vector<MambaConfig> all(5, small_config());
  all[1].rms_norm = false;
  all[2].d_state = 16;
  all[3].d_conv = 2;
  all[4].residual_in_fp32 = false;
  return all;
}

TEST(Generate, GreedyEqualsExtendingStepByStep) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    for (const MambaConfig& config : configurations()) {
      Simba model = random_model(config, dtype);
      const GenerateOptions options{.max_new_tokens = 20};
      const PackedTokens tokens = contexts({1, 2, 3});
      const auto expected =
          by_extending(model, model.prefill(tokens, PruningPlan::dense()), options);
      for_each_generator(model, [&](Generator& generator) {
        const Prefill prefill = model.prefill(tokens, PruningPlan::dense());
        EXPECT_EQ(generator.generate(*prefill.state, prefill.last_logits, options), expected);
        // The state was not touched: the same again.
        EXPECT_EQ(generator.generate(*prefill.state, prefill.last_logits, options), expected);
      });
    }
  }
}

TEST(Generate, SampledEqualsExtendingStepByStep) {
  Simba model = random_model(small_config(), at::kFloat);
  const PackedTokens tokens = contexts({1, 2, 3});
  GenerateOptions options{.max_new_tokens = 30};
  options.sampling = {.temperature = 0.9, .top_k = 20, .top_p = 0.95, .seed = 7};
  const auto expected = by_extending(model, model.prefill(tokens, PruningPlan::dense()), options);
  const Prefill prefill = model.prefill(tokens, PruningPlan::dense());
  for_each_generator(model, [&](Generator& generator) {
    EXPECT_EQ(generator.generate(*prefill.state, prefill.last_logits, options), expected);
    GenerateOptions other = options;
    other.sampling.seed = 8;
    EXPECT_NE(generator.generate(*prefill.state, prefill.last_logits, other), expected);
  });
}

TEST(Generate, ASequenceWritesTheSameInAnyBatch) {
  Simba model = random_model(small_config(), at::kFloat);
  GenerateOptions options{.max_new_tokens = 25};
  options.sampling = {.temperature = 1, .seed = 3};
  const Prefill batch = model.prefill(contexts({1, 2, 3, 4}), PruningPlan::dense());
  Generator generator(model);
  const auto together = generator.generate(*batch.state, batch.last_logits, options);
  for (std::int64_t s = 0; s < 4; ++s) {
    const Prefill single =
        model.prefill(contexts({static_cast<std::uint64_t>(s + 1)}), PruningPlan::dense());
    options.streams = {s};
    EXPECT_EQ(generator.generate(*single.state, single.last_logits, options)[0], together[s]);
  }
}

TEST(Generate, SequencesEndWithTheirStopId) {
  Simba model = random_model(small_config(), at::kFloat);
  GenerateOptions options{.max_new_tokens = 40};
  options.sampling = {.temperature = 1.5, .seed = 1};
  const Prefill prefill = model.prefill(contexts({1, 2, 3}), PruningPlan::dense());
  Generator plain(model);
  const auto all = plain.generate(*prefill.state, prefill.last_logits, options);
  options.stop_ids = {all[0][4], all[2][9]};
  Tokens2d expected = all;
  std::size_t longest = 0;
  for (auto& tokens : expected) {
    const auto end = std::find_first_of(tokens.begin(), tokens.end(), options.stop_ids.begin(),
                                        options.stop_ids.end());
    if (end != tokens.end()) tokens.erase(end + 1, tokens.end());
    longest = std::max(longest, tokens.size());
  }
  EXPECT_LE(expected[0].size(), 5u);
  for_each_generator(model, [&](Generator& generator) {
    Tokens2d seen(3);
    std::size_t steps = 0;
    const auto tokens = generator.generate(*prefill.state, prefill.last_logits, options,
                                           [&](const std::vector<std::int64_t>& ids) {
                                             ++steps;
                                             for (std::size_t s = 0; s < 3; ++s) {
                                               if (ids[s] >= 0) seen[s].push_back(ids[s]);
                                             }
                                             return true;
                                           });
    EXPECT_EQ(tokens, expected);
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(steps, longest);
  });
}

TEST(Generate, ACallbackEndsIt) {
  Simba model = random_model(small_config(), at::kFloat);
  const Prefill prefill = model.prefill(contexts({1}), PruningPlan::dense());
  for_each_generator(model, [&](Generator& generator) {
    int calls = 0;
    const auto tokens =
        generator.generate(*prefill.state, prefill.last_logits, {.max_new_tokens = 40},
                           [&](const auto&) { return ++calls < 6; });
    EXPECT_EQ(calls, 6);
    EXPECT_EQ(tokens[0].size(), 6u);
  });
}

TEST(Generate, DecodersAreKeptAndBounded) {
  Simba model = random_model(small_config(), at::kFloat);
  CaptureCounts counts;
  Generator generator(model, 4, fake_capture(counts));
  const auto run = [&](std::vector<std::uint64_t> seeds, double temperature, std::uint64_t seed) {
    const Prefill prefill = model.prefill(contexts(seeds), PruningPlan::dense());
    GenerateOptions options{.max_new_tokens = 6};
    options.sampling = {.temperature = temperature, .seed = seed};
    generator.generate(*prefill.state, prefill.last_logits, options);
  };
  run({1}, 1, 1);
  run({2}, 1, 2);  // another context, another seed: the same graph
  EXPECT_EQ(counts.captures, 1);
  run({1, 2}, 1, 1);
  run({1}, 1, 1);
  EXPECT_EQ(counts.captures, 2);
  run({1}, 0, 1);  // in place of the one for two sequences
  run({1}, 1, 1);
  EXPECT_EQ(counts.captures, 3);
  run({1, 2}, 1, 1);
  EXPECT_EQ(counts.captures, 4);
}

// More calls at once than decoders are kept, each within a step of the one before.
TEST(Generate, CallsMayOverlap) {
  Simba model = random_model(small_config(), at::kFloat);
  for_each_generator(model, [&](Generator& generator) {
    const auto run = [&](std::uint64_t seed, const OnTokens& on_tokens) {
      const Prefill prefill = model.prefill(contexts({seed}), PruningPlan::dense());
      return generator.generate(*prefill.state, prefill.last_logits, {.max_new_tokens = 20},
                                on_tokens);
    };
    std::vector<Tokens2d> alone, nested(4);
    for (std::uint64_t seed = 0; seed < 4; ++seed) alone.push_back(run(seed, {}));
    const std::function<void(std::uint64_t)> nest = [&](std::uint64_t seed) {
      int steps = 0;
      nested[seed] = run(seed, [&](const auto&) {
        if (++steps == 3 && seed < 3) nest(seed + 1);
        return true;
      });
    };
    nest(0);
    EXPECT_EQ(nested, alone);
  });
}

TEST(Generate, EmptyRequestsAndWrongOnes) {
  using test::refuses;
  Simba model = random_model(small_config(), at::kFloat);
  Simba other = [] {
    MambaConfig config = small_config();
    config.n_layer = 2;
    return random_model(config, at::kFloat);
  }();
  const Prefill prefill = model.prefill(contexts({1, 2}), PruningPlan::dense());
  Generator generator(model);
  const auto run = [&](const GenerateOptions& options) {
    return generator.generate(*prefill.state, prefill.last_logits, options);
  };
  EXPECT_EQ(run({.max_new_tokens = 0}), Tokens2d(2));
  EXPECT_TRUE(refuses("max_new_tokens: expected", [&] { run({.max_new_tokens = -1}); }));
  EXPECT_TRUE(refuses("stop_ids: expected ids in [0, 40), got 40", [&] {
    GenerateOptions options;
    options.stop_ids = {40};
    run(options);
  }));
  EXPECT_TRUE(refuses("streams: expected one number for each of 2", [&] {
    GenerateOptions options;
    options.streams = {1};
    run(options);
  }));
  EXPECT_TRUE(refuses("temperature: expected", [&] {
    GenerateOptions options;
    options.sampling.temperature = -1;
    run(options);
  }));
  EXPECT_TRUE(refuses("last_logits: expected (2, 40)", [&] {
    generator.generate(*prefill.state, prefill.last_logits.narrow(0, 0, 1), {});
  }));
  Generator of_other(other);
  EXPECT_TRUE(refuses("state made by this model",
                      [&] { of_other.generate(*prefill.state, prefill.last_logits, {}); }));
}

}  // namespace
}  // namespace simba
