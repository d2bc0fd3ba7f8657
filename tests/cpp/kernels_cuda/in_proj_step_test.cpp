#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/in_proj_step/in_proj_step_cuda.h"
#include "kernels/in_proj_step/in_proj_step_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/few_rows.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t rows, d_model, channels;
  std::int64_t width = 4;
  bool residual = true, conv_bias = true;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {"base", 1, 64, 128},
      {"no_rows", 0, 64, 128},
      {"no_channels", 2, 64, 0},
      {"odd", 3, 37, 21},
      {"four_rows", 4, 264, 520},
      {"first_layer", 2, 64, 128, 4, false},
      {"no_conv_bias", 2, 64, 128, 4, true, false},
      {"width_1", 2, 64, 40, 1},
      {"width_2", 2, 64, 40, 2},
      {"width_7", 2, 64, 40, 7},
      {"width_32", 2, 64, 40, 32},
      {"two_packets_a_thread", 2, 2560, 64},
      {"longer_than_held", 1, 4104, 40},
      {"many_rounds", 1, 16, 20011},
      {"one_channel", 4, 768, 1},
      {"130m", 4, 768, 1536},
      {"370m", 3, 1024, 700},
      {"790m", 2, 1536, 700},
      {"1_4b", 4, 2048, 700},
      {"2_8b", 4, 2560, 400},
      {"rounds_of_two_segments", 4, 1288, 1500},
      // Three segments: two warps of a block have none.
      {"d_model_3072", 3, 3072, 150},
      {"longest_held", 2, 4096, 150},
      // More convolutions in a block than its threads hold ahead.
      {"many_items", 4, 64, 30011},
  };
  return table;
}

class InProjStepCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  const std::int64_t S = c.rows, M = c.d_model, D = c.channels, older = c.width - 1;
  const double eps = 1e-5;
  Random random(1);
  const std::vector<double> hidden = rounded<T>(random.normal(S * M));
  const std::vector<double> residual = rounded<float>(random.normal(S * M, 0, 3));
  const std::vector<double> norm = rounded<float>(random.normal(M, 1, 0.1));
  const std::vector<double> in_proj = rounded<T>(random.normal(2 * D * M, 0, 1 / std::sqrt(M)));
  const std::vector<double> state = rounded<T>(random.normal(S * D * older));
  const std::vector<double> taps = rounded<float>(random.normal(D * c.width, 0, 0.5));
  const std::vector<double> bias = rounded<float>(random.normal(D, 0, 0.5));

  std::vector<double> r = hidden, normed(S * M);
  for (std::int64_t s = 0; s < S; ++s) {
    double squares = 0;
    for (std::int64_t i = s * M; i < (s + 1) * M; ++i) {
      if (c.residual) r[i] += residual[i];
      squares += r[i] * r[i];
    }
    for (std::int64_t i = 0; i < M; ++i) {
      normed[s * M + i] = r[s * M + i] / std::sqrt(squares / M + eps) * norm[i];
    }
  }
  const std::vector<double> xz = product(normed, in_proj, S, M, 2 * D);
  std::vector<double> u(S * D), z(S * D), new_state(S * D * older);
  for (std::int64_t i = 0; i < S * D; ++i) {
    const std::int64_t s = i / D, d = i % D;
    const double x = xz[s * 2 * D + d];
    double sum = (c.conv_bias ? bias[d] : 0) + taps[d * c.width + older] * x;
    for (std::int64_t k = 0; k < older; ++k) {
      sum += taps[d * c.width + k] * state[i * older + k];
      new_state[i * older + k] = k + 1 < older ? state[i * older + k + 1] : x;
    }
    u[i] = silu(sum);
    z[i] = xz[s * 2 * D + D + d];
  }

  const DeviceArray<T> device_hidden(store_all<T>(hidden)), device_in_proj(store_all<T>(in_proj));
  const DeviceArray<float> device_residual(store_all<float>(residual));
  const DeviceArray<float> device_norm(store_all<float>(norm)), device_taps(store_all<float>(taps));
  const DeviceArray<float> device_bias(store_all<float>(bias));
  const auto run = [&](std::int64_t first, std::int64_t rows) {
    const DeviceArray<T> device_state(store_all<T>(
        {state.begin() + first * D * older, state.begin() + (first + rows) * D * older}));
    const DeviceArray<float> new_residual(rows * M);
    const DeviceArray<T> device_u(rows * D), device_z(rows * D);
    const InProjStepParams<T> params{
        .rows = rows,
        .d_model = M,
        .channels = D,
        .width = c.width,
        .eps = eps,
        .hidden = device_hidden.data() + first * M,
        .residual = c.residual ? device_residual.data() + first * M : nullptr,
        .norm_weight = device_norm.data(),
        .in_proj = device_in_proj.data(),
        .conv_state = device_state.data(),
        .conv_weight = device_taps.data(),
        .conv_bias = c.conv_bias ? device_bias.data() : nullptr,
        .new_residual = new_residual.data(),
        .u = device_u.data(),
        .z = device_z.data()};
    require(in_proj_step_cuda(params, nullptr));
    struct {
      std::vector<T> u, z, state;
      std::vector<float> residual;
    } results{device_u.download(), device_z.download(), device_state.download(),
              new_residual.download()};
    return results;
  };
  const auto all = run(0, S);
  // What is rounded on the way (normed, x) bounds the rest.
  const double error = 4 * kRounding<T> + 1e-6;
  expect_close(load_all(all.u), u, error, error);
  expect_close(load_all(all.z), z, error, error);
  expect_close(load_all(all.state), new_state, error, error);
  if (D > 0) expect_close(load_all(all.residual), r, 1e-6, 1e-6);
  for (std::int64_t s = 0; s < S && D > 0; ++s) {
    const auto alone = run(s, 1);
    for (std::int64_t i = 0; i < D; ++i) {
      ASSERT_EQ(load(alone.u[i]), load(all.u[s * D + i])) << "sequences depend on each other";
      ASSERT_EQ(load(alone.z[i]), load(all.z[s * D + i])) << "sequences depend on each other";
    }
  }
}

TEST_P(InProjStepCudaTable, EqualsDefinition) {
  for_each_path([&] { for_each_decoding_type([&]<typename T>() { check<T>(GetParam()); }); });
}

TEST(InProjStepCuda, FastPathTakesFourTapsAndPacketsUpToTheLongestRow) {
  const auto takes = [](std::int64_t d_model, std::int64_t width) {
    return fast_path_takes(
        InProjStepParams<BFloat16>{.rows = 1, .d_model = d_model, .channels = 8, .width = width});
  };
  EXPECT_TRUE(takes(4096, 4));
  EXPECT_FALSE(takes(4104, 4));
  EXPECT_FALSE(takes(2564, 4));
  EXPECT_FALSE(takes(2560, 3));
}

TEST(InProjStepCuda, SizesOutOfRangeAreRefused) {
  const InProjStepParams<float> base{.rows = 1, .d_model = 8, .channels = 8, .width = 4};
  auto params = base;
  params.rows = 5;
  EXPECT_EQ(in_proj_step_cuda(params, nullptr), cudaErrorInvalidValue);
  params = base;
  params.width = 0;
  EXPECT_EQ(in_proj_step_cuda(params, nullptr), cudaErrorInvalidValue);
  params = base;
  params.d_model = kInProjStepBytes;
  EXPECT_EQ(in_proj_step_cuda(params, nullptr), cudaErrorInvalidValue);
}

INSTANTIATE_TEST_SUITE_P(, InProjStepCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
