#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/causal_conv1d/causal_conv1d_cuda.h"
#include "tests/cpp/kernels_cuda/layout.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(2, 63); };
  std::int64_t channels = 40;
  std::int64_t width = 4;
  Spacing spacing = {};
  bool bias = true, initial_state = true, silu = true;
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
      {.name = "one_channel", .channels = 1},
      {.name = "channels_129", .channels = 129},
      {.name = "no_channels", .channels = 0},
      {.name = "width_1", .width = 1},
      {.name = "width_2", .width = 2},
      {.name = "width_7", .width = 7},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}},
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

  const DeviceRows<T> device_x(layout.batch(), layout.length(), D, c.spacing, x);
  const DeviceRows<T> out(layout.batch(), layout.length(), D, c.spacing);
  const DeviceArray<Acc> device_weight(store_all<Acc>(weight)), device_bias(store_all<Acc>(bias));
  const DeviceArray<T> device_initial(store_all<T>(initial_state)), last_state(S * D * (K - 1));
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
  require(causal_conv1d_cuda(params, nullptr));

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
  expect_rounded<T>(out.values(), expected_out, 20);
  EXPECT_EQ(load_all(last_state.download()), expected_state);
}

TEST_P(CausalConv1dCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() { check<T>(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(, CausalConv1dCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(CausalConv1dCuda, RefusesNoTaps) {
  CausalConv1dParams<float> params;
  params.width = 0;
  EXPECT_EQ(causal_conv1d_cuda(params, nullptr), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace simba::kernels
