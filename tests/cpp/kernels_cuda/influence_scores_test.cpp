#include <gtest/gtest.h>

#include "tests/cpp/kernels_cuda/influence_problem.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

template <typename T>
std::vector<double> run_twice(const Case& c, const Layout& layout, const Inputs<T>& in) {
  using Acc = AccumulateType<T>;
  const auto rows = [&](std::int64_t channels, const std::vector<double>& values) {
    return DeviceRows<T>(layout.batch(), layout.length(), channels, c.spacing, values);
  };
  const DeviceRows<T> u = rows(c.channels, in.u), delta = rows(c.channels, in.delta);
  const DeviceRows<T> B = rows(c.states, in.B), C = rows(c.states, in.C);
  const DeviceArray<Acc> A(store_all<Acc>(in.A)), delta_bias(store_all<Acc>(in.delta_bias));
  DeviceArray<Acc> scores(layout.tokens());
  InfluenceScoresParams<T> params{
      .sequences = layout.on_device(),
      .batch = layout.batch(),
      .channels = c.channels,
      .states = c.states,
      .u = u.const_rows(),
      .delta = delta.const_rows(),
      .B = B.const_rows(),
      .C = C.const_rows(),
      .A = A.data(),
      .delta_bias = delta_bias.data(),
      .decay = c.decay,
      .reduction = c.reduction,
      .scores = scores.data(),
  };
  DeviceArray<Acc> partial(influence_scores_scratch_cuda(params));
  params.partial = partial.data();
  require(influence_scores_cuda(params, nullptr));
  const std::vector<Acc> first = scores.download();
  scores.poison();
  partial.poison();
  require(influence_scores_cuda(params, nullptr));
  EXPECT_TRUE(same_bits(scores.download(), first)) << "a second run differs";
  return load_all(first);
}

void expect_within(const std::vector<double>& scores, const std::vector<Bounds>& bounds,
                   double error) {
  ASSERT_EQ(scores.size(), bounds.size());
  for (std::size_t t = 0; t < scores.size(); ++t) {
    const auto [low, high] = bounds[t];
    if (std::isnan(low)) {
      EXPECT_TRUE(std::isnan(scores[t])) << "token " << t << ": " << scores[t] << ", expected NaN";
      continue;
    }
    // -inf - slack is -inf: an exact zero stays one.
    const auto slack = [error](double bound) {
      return std::isinf(bound) ? 0 : error * (1 + std::abs(bound));
    };
    EXPECT_GE(scores[t], low - slack(low)) << "token " << t;
    EXPECT_LE(scores[t], high + slack(high)) << "token " << t;
  }
}

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "one_token", .layout = [] { return Layout::batch_of(2, 1); }},
      {.name = "tile_less_one", .layout = [] { return Layout::batch_of(1, 31); }},
      {.name = "one_tile", .layout = [] { return Layout::batch_of(1, 32); }},
      {.name = "tile_and_one", .layout = [] { return Layout::batch_of(1, 33); }},
      {.name = "length_1000", .layout = [] { return Layout::batch_of(1, 1000); }},
      {.name = "no_tokens", .layout = [] { return Layout::batch_of(2, 0); }},
      {.name = "no_batch", .layout = [] { return Layout::batch_of(0, 5); }},
      {.name = "packed",
       .layout =
           [] {
             return Layout::packed({7, 0, 64, 1, 33, 0});
           }},
      {.name = "packed_empty",
       .layout =
           [] {
             return Layout::packed({0, 0});
           }},
      {.name = "one_channel", .channels = 1},
      {.name = "channels_32", .channels = 32},
      {.name = "channels_257", .channels = 257},
      {.name = "channels_1100", .channels = 1100},
      {.name = "no_channels", .channels = 0},
      {.name = "one_state", .states = 1},
      {.name = "states_5", .states = 5},
      {.name = "states_17", .states = 17},
      {.name = "states_64", .states = 64},
      {.name = "no_states", .states = 0},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}},
      {.name = "no_delta_bias", .delta_bias = false},
      {.name = "full", .decay = InfluenceDecay::kFull},
      {.name = "none", .decay = InfluenceDecay::kNone},
      {.name = "signed_max", .reduction = InfluenceReduction::kSignedMax},
      {.name = "l1", .reduction = InfluenceReduction::kL1},
      {.name = "l2", .reduction = InfluenceReduction::kL2},
      {.name = "l1_many_channels", .channels = 1100, .reduction = InfluenceReduction::kL1},
      {.name = "tiny_delta", .delta_mean = -200, .delta_deviation = 100},
      {.name = "large_delta", .delta_mean = 300, .delta_deviation = 100},
      {.name = "large_delta_l2",
       .reduction = InfluenceReduction::kL2,
       .delta_mean = 300,
       .delta_deviation = 100},
      {.name = "all_zero", .zeros = 2},
      {.name = "equal_decays", .decays = Decays::kEqual},
      {.name = "fastest_first",
       .layout = [] { return Layout::batch_of(1, 300); },
       .decays = Decays::kFastestFirst},
      {.name = "silent_slowest",
       .layout = [] { return Layout::batch_of(1, 300); },
       .decays = Decays::kSilentSlowest},
      {.name = "chunk_less_one", .layout = [] { return Layout::batch_of(1, 127); }, .channels = 68},
      {.name = "chunk_and_one", .layout = [] { return Layout::batch_of(2, 129); }, .channels = 132},
      {.name = "packed_chunks",
       .layout =
           [] {
             return Layout::packed({300, 1, 0, 128, 129, 5});
           },
       .channels = 64},
      {.name = "spread_decays",
       .layout = [] { return Layout::batch_of(1, 700); },
       .channels = 260,
       .decays = Decays::kSpread},
      {.name = "spread_decays_full",
       .layout = [] { return Layout::batch_of(1, 700); },
       .channels = 260,
       .decay = InfluenceDecay::kFull,
       .decays = Decays::kSpread},
      {.name = "spread_decays_packed",
       .layout =
           [] {
             return Layout::packed({300, 1, 0, 128, 129, 5, 33, 64, 95, 96, 97});
           },
       .channels = 700,
       .decays = Decays::kSpread},
      {.name = "spread_decays_signed",
       .layout = [] { return Layout::batch_of(2, 300); },
       .channels = 260,
       .reduction = InfluenceReduction::kSignedMax,
       .decays = Decays::kSpread},
      {.name = "spikes",
       .layout = [] { return Layout::batch_of(1, 700); },
       .channels = 260,
       .decays = Decays::kSpread,
       .spikes = 12},
      {.name = "all_equal",
       .layout = [] { return Layout::batch_of(1, 300); },
       .channels = 260,
       .decays = Decays::kEqual,
       .constant = true},
      {.name = "all_equal_without_decay",
       .layout = [] { return Layout::batch_of(1, 300); },
       .channels = 260,
       .delta_mean = -8192,
       .decays = Decays::kEqual,
       .constant = true},
      {.name = "silent_slowest_long",
       .layout = [] { return Layout::batch_of(1, 700); },
       .channels = 260,
       .decays = Decays::kSilentSlowest},
      {.name = "growing_state",
       .layout = [] { return Layout::batch_of(1, 100); },
       .channels = 200,
       .decays = Decays::kGrowing},
      {.name = "many_sequences",
       .layout = [] { return Layout::batch_of(18, 40); },
       .channels = 132,
       .decays = Decays::kEqual},
      {.name = "group_and_one",
       .layout = [] { return Layout::batch_of(1, 65); },
       .channels = 1028,
       .decays = Decays::kSpread},
      {.name = "groups_all_listed",
       .layout = [] { return Layout::batch_of(1, 85); },
       .channels = 3964,
       .decays = Decays::kEqual},
      {.name = "groups_of_which_few_are_listed",
       .layout = [] { return Layout::batch_of(1, 131); },
       .channels = 5136,
       .decays = Decays::kSpread},
      {.name = "more_sequences",
       .layout = [] { return Layout::batch_of(60, 35); },
       .channels = 132},
      // Beyond the number of blocks that a multiprocessor holds four of.
      {.name = "many_blocks", .layout = [] { return Layout::batch_of(1, 40000); }, .channels = 32},
      {.name = "large_delta_far",
       .layout = [] { return Layout::batch_of(1, 100); },
       .channels = 132,
       .delta_mean = 6,
       .delta_deviation = 3,
       .decays = Decays::kSpread},
      {.name = "none_many_channels",
       .layout = [] { return Layout::batch_of(1, 300); },
       .channels = 700,
       .decay = InfluenceDecay::kNone},
      {.name = "full_l2_long",
       .layout = [] { return Layout::batch_of(1, 700); },
       .decay = InfluenceDecay::kFull,
       .reduction = InfluenceReduction::kL2},
  };
  return table;
}

class InfluenceScoresCudaTable : public testing::TestWithParam<Case> {};

TEST_P(InfluenceScoresCudaTable, EqualsDefinition) {
  const Case& c = GetParam();
  const Layout layout = c.layout();
  for_each_storage_type([&]<typename T>() {
    const Inputs<T> inputs(c, layout, 1);
    const auto expected = reference(c, layout, inputs);
    for_each_path([&] {
      expect_within(run_twice(c, layout, inputs), expected, 8 * kRounding<AccumulateType<T>>);
    });
  });
}

INSTANTIATE_TEST_SUITE_P(, InfluenceScoresCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(InfluenceScoresCuda, NanReachesExactlyTheTokensItTouches) {
  for_each_path([] {
    const Layout layout = Layout::batch_of(1, 70);
    for (const InfluenceReduction reduction :
         {InfluenceReduction::kMax, InfluenceReduction::kSignedMax, InfluenceReduction::kL1,
          InfluenceReduction::kL2}) {
      SCOPED_TRACE(static_cast<int>(reduction));
      const Case c{.name = "nan", .reduction = reduction};
      Inputs<float> in(c, layout, 4);
      in.u[60 * c.channels + 5] = std::nan("");
      in.delta[3 * c.channels + 6] = std::nan("");
      in.B[50 * c.states + 7] = std::nan("");
      const std::vector<double> scores = run_twice(c, layout, in);
      for (std::int64_t t = 0; t < 70; ++t) {
        EXPECT_EQ(std::isnan(scores[t]), t <= 3 || t == 50 || t == 60) << "token " << t;
      }
    }
  });
}

TEST(InfluenceScoresCuda, PackedEqualsSingle) {
  for_each_path([] {
    const Case c{.name = "packed"};
    const std::vector<std::int32_t> lengths = {45, 3, 70};
    const Layout packed = Layout::packed(lengths);
    const Inputs<float> in(c, packed, 3);
    const std::vector<double> expected = run_twice(c, packed, in);
    for (std::int64_t s = 0; s < packed.count(); ++s) {
      SCOPED_TRACE(s);
      const auto cut = [&](const std::vector<double>& values, std::int64_t channels) {
        return std::vector<double>(values.begin() + packed.begin(s) * channels,
                                   values.begin() + packed.end(s) * channels);
      };
      Inputs<float> alone = in;
      alone.u = cut(in.u, c.channels);
      alone.delta = cut(in.delta, c.channels);
      alone.B = cut(in.B, c.states);
      alone.C = cut(in.C, c.states);
      EXPECT_EQ(run_twice(c, Layout::batch_of(1, lengths[s]), alone), cut(expected, 1));
    }
  });
}

}  // namespace
}  // namespace simba::kernels
