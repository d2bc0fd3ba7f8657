#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/causal_conv1d/causal_conv1d_cuda.h"
#include "kernels/causal_conv1d/causal_conv1d_paths.h"
#include "tests/cpp/kernels_cuda/layout.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(2, 63); };
  std::int64_t channels = 40;
  std::int64_t width = 4;
  Spacing spacing = {}, x_spacing = {};
  bool bias = true, initial_state = true, silu = true;
  bool fast = true;  // whether the fast kernel takes it
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "one_step", .layout = [] { return Layout::batch_of(2, 1); }},
      {.name = "shorter_than_state", .layout = [] { return Layout::batch_of(2, 2); }},
      {.name = "block_less_one", .layout = [] { return Layout::batch_of(1, 15); }},
      {.name = "one_block", .layout = [] { return Layout::batch_of(1, 16); }},
      {.name = "block_and_one", .layout = [] { return Layout::batch_of(1, 17); }},
      {.name = "length_1000", .layout = [] { return Layout::batch_of(1, 1000); }},
      {.name = "no_steps", .layout = [] { return Layout::batch_of(2, 0); }},
      {.name = "no_batch", .layout = [] { return Layout::batch_of(0, 5); }},
      {.name = "packed",
       .layout =
           [] {
             return Layout::packed({7, 0, 64, 1, 2, 33, 0});
           }},
      {.name = "packed_short",
       .layout =
           [] {
             return Layout::packed({0, 1, 1, 0, 0, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 1, 9});
           }},
      {.name = "packed_empty",
       .layout =
           [] {
             return Layout::packed({0, 0});
           }},
      // Runs of the fast kernel are of 8 positions, 4 runs a block.
      {.name = "run_less_one", .layout = [] { return Layout::batch_of(2, 7); }},
      {.name = "one_run", .layout = [] { return Layout::batch_of(2, 8); }},
      {.name = "run_and_one", .layout = [] { return Layout::batch_of(2, 9); }},
      {.name = "block_of_runs_and_one", .layout = [] { return Layout::batch_of(2, 33); }},
      {.name = "many_runs", .layout = [] { return Layout::batch_of(2, 35003); }, .channels = 8},
      {.name = "packed_over_runs",
       .layout =
           [] {
             std::vector<std::int32_t> lengths;
             for (int i = 0; i < 400; ++i) lengths.push_back(i * 37 % 97);
             return Layout::packed(lengths);
           },
       .channels = 16,
       .initial_state = false},
      // Every distance from a sequence's beginning to a run's.
      {.name = "packed_by_9",
       .layout = [] { return Layout::packed(std::vector<std::int32_t>(40, 9)); },
       .channels = 24},
      {.name = "packed_over_runs_width_3",
       .layout = [] { return Layout::packed(std::vector<std::int32_t>(97, 11)); },
       .channels = 264,
       .width = 3},
      {.name = "packed_many_runs",
       .layout =
           [] {
             std::vector<std::int32_t> lengths;
             for (int i = 0; i < 600; ++i) lengths.push_back(i * 41 % 103);
             return Layout::packed(lengths);
           },
       .channels = 8,
       .width = 2},
      {.name = "one_channel", .channels = 1, .fast = false},
      {.name = "one_packet", .channels = 4},
      {.name = "half_packet", .channels = 2, .fast = false},
      {.name = "channels_12", .channels = 12},
      {.name = "channels_129", .channels = 129, .fast = false},
      {.name = "channels_264", .channels = 264},
      {.name = "channels_1536", .channels = 1536},
      {.name = "no_channels", .channels = 0},
      {.name = "width_1", .width = 1, .fast = false},
      {.name = "width_2", .width = 2},
      {.name = "width_2_no_silu", .width = 2, .silu = false},
      {.name = "width_3", .width = 3},
      {.name = "width_3_no_silu", .width = 3, .silu = false},
      {.name = "width_7", .width = 7, .fast = false},
      {.name = "unaligned",
       .spacing = {.offset = 1, .row_gap = 3},
       .x_spacing = {.offset = 1, .row_gap = 3},
       .fast = false},
      {.name = "unaligned_x", .x_spacing = {.offset = 1, .row_gap = 7}, .fast = false},
      {.name = "unaligned_rows_of_x", .x_spacing = {.row_gap = 2}, .fast = false},
      {.name = "half_of_wider_rows", .x_spacing = {.offset = 40, .row_gap = 40}},
      {.name = "strided", .spacing = {.offset = 8, .row_gap = 16}, .x_spacing = {.row_gap = 24}},
      {.name = "no_bias", .bias = false},
      {.name = "no_initial_state", .initial_state = false},
      {.name = "no_silu", .silu = false},
  };
  return table;
}

class CausalConv1dCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  const Layout layout = c.layout();
  const std::int64_t S = layout.count(), D = c.channels, K = c.width;
  Random random(1);
  const std::vector<double> x = rounded<T>(random.normal(layout.tokens() * D));
  const std::vector<double> weight = rounded<Acc>(random.normal(D * K));
  const std::vector<double> bias = rounded<Acc>(random.normal(D));
  const std::vector<double> initial_state = rounded<T>(random.normal(S * D * (K - 1)));

  const DeviceRows<T> device_x(layout.batch(), layout.length(), D, c.x_spacing, x);
  DeviceRows<T> out(layout.batch(), layout.length(), D, c.spacing);
  const DeviceArray<Acc> device_weight(store_all<Acc>(weight)), device_bias(store_all<Acc>(bias));
  const DeviceArray<T> device_initial(store_all<T>(initial_state));
  DeviceArray<T> last_state(S * D * (K - 1));
  const CausalConv1dParams<T> params{
      .sequences = layout.on_device(),
      .channels = D,
      .width = K,
      .x = device_x.const_rows(),
      .out = out.rows(),
      .weight = device_weight.data(),
      .bias = c.bias ? device_bias.data() : nullptr,
      .initial_state = c.initial_state ? device_initial.data() : nullptr,
      .last_state = last_state.data(),
      .silu = c.silu,
  };
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (layout.tokens() * D > 0) {
      EXPECT_EQ(fast_path_takes(params), c.fast);
    }
  }

  std::vector<double> expected_out(layout.tokens() * D), expected_state(S * D * (K - 1));
  for (std::int64_t s = 0; s < S; ++s) {
    for (std::int64_t d = 0; d < D; ++d) {
      std::vector<double> inputs;  // the initial state, then the sequence
      for (std::int64_t k = 0; k < K - 1; ++k) {
        inputs.push_back(c.initial_state ? initial_state[(s * D + d) * (K - 1) + k] : 0);
      }
      for (std::int64_t t = layout.begin(s); t < layout.end(s); ++t) inputs.push_back(x[t * D + d]);
      for (std::int64_t t = layout.begin(s); t < layout.end(s); ++t) {
        double sum = c.bias ? bias[d] : 0;
        for (std::int64_t k = 0; k < K; ++k) {
          sum += weight[d * K + k] * inputs[t - layout.begin(s) + k];
        }
        expected_out[t * D + d] = c.silu ? silu(sum) : sum;
      }
      for (std::int64_t k = 0; k < K - 1; ++k) {
        expected_state[(s * D + d) * (K - 1) + k] = inputs[inputs.size() - (K - 1) + k];
      }
    }
  }
  for_each_path([&] {
    out.poison();
    last_state.poison();
    require(causal_conv1d_cuda(params, nullptr));
    expect_rounded<T>(out.values(), expected_out, 20);
    expect_norm_error_of_rounding<T>(out.values(), expected_out);
    EXPECT_EQ(load_all(last_state.download()), expected_state);
    const std::vector<T> first = out.bits();
    out.poison();
    require(causal_conv1d_cuda(params, nullptr));
    EXPECT_TRUE(same_bits(out.bits(), first)) << "a second run differs";
  });
}

TEST_P(CausalConv1dCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() { check<T>(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(, CausalConv1dCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

// Infinite and undefined inputs reach the K positions that see them and no other.
template <typename T>
void check_special_values() {
  const std::int64_t L = 40, D = 16, K = 4;
  std::vector<double> x(L * D, 0.5);
  const std::vector<double> special = {INFINITY, -INFINITY, std::nan(""), 3e38, -3e38};
  for (std::int64_t d = 0; d < D; ++d) x[(9 + d) * D + d] = special[d % special.size()];
  const DeviceRows<T> device_x(1, L, D, {}, x);
  DeviceRows<T> out(1, L, D, {});
  const DeviceArray<AccumulateType<T>> weight(
      store_all<AccumulateType<T>>(Random(3).uniform(D * K, 1, 2)));
  const DeviceArray<T> last_state(D * (K - 1));
  CausalConv1dParams<T> params{.sequences = {.count = 1, .length = L, .cu_seqlens = nullptr},
                               .channels = D,
                               .width = K,
                               .x = device_x.const_rows(),
                               .out = out.rows(),
                               .weight = weight.data(),
                               .last_state = last_state.data()};
  for (const bool silu : {false, true}) {
    params.silu = silu;
    force_cuda_path(CudaPath::kPortable);
    require(causal_conv1d_cuda(params, nullptr));
    const std::vector<double> expected = out.values();
    out.poison();
    force_cuda_path(CudaPath::kFast);
    require(causal_conv1d_cuda(params, nullptr));
    force_cuda_path(std::nullopt);
    expect_close(out.values(), expected, 4 * kRounding<T>, 0);
  }
}

TEST(CausalConv1dCuda, SpecialValues) {
  for_each_storage_type([&]<typename T>() { check_special_values<T>(); });
}

TEST(CausalConv1dCuda, RefusesNoTaps) {
  CausalConv1dParams<float> params;
  params.width = 0;
  EXPECT_EQ(causal_conv1d_cuda(params, nullptr), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace simba::kernels
