#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/ssm_step/ssm_step_cuda.h"
#include "kernels/ssm_step/ssm_step_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/few_rows.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t sequences, channels, states, dt_rank;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {"base", 1, 128, 16, 48},      {"no_sequences", 0, 128, 16, 48},
      {"no_channels", 2, 0, 16, 48}, {"four_sequences", 4, 100, 16, 160},
      {"odd", 3, 21, 3, 7},          {"one_state", 2, 40, 1, 8},
      {"no_states", 2, 40, 0, 8},    {"states_33", 2, 40, 33, 24},
      {"states_64", 2, 40, 64, 24},  {"long_rank", 1, 17, 16, 1032},
      {"no_rank", 2, 40, 16, 0},     {"one_packet", 2, 33, 16, 8},
      {"rank_64", 2, 2048, 16, 64},  {"rank_100", 2, 40, 16, 100},
      {"rank_128", 3, 65, 16, 128},  {"2_8b", 1, 5120, 16, 160},
      {"rank_168", 2, 40, 16, 168},  {"one_channel", 5, 1, 16, 96},
  };
  return table;
}

class SsmStepCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  const std::int64_t S = c.sequences, D = c.channels, N = c.states, R = c.dt_rank;
  Random random(1);
  const std::vector<double> state = rounded<float>(random.normal(S * D * N));
  const std::vector<double> u = rounded<T>(random.normal(S * D));
  const std::vector<double> z = rounded<T>(random.normal(S * D, 0, 2));
  const std::vector<double> inputs = rounded<T>(random.normal(S * (R + 2 * N)));
  const std::vector<double> dt_proj = rounded<T>(random.normal(D * R, 0, 1 / std::sqrt(R)));
  const std::vector<double> A = rounded<float>(random.decay(D * N));
  const std::vector<double> skip = rounded<float>(random.normal(D));
  const std::vector<double> bias = rounded<float>(random.normal(D, -2, 1));

  std::vector<double> new_state = state, out(S * D);
  for (std::int64_t i = 0; i < S * D; ++i) {
    const std::int64_t s = i / D, d = i % D;
    const double* row = inputs.data() + s * (R + 2 * N);
    double delta = 0;
    for (std::int64_t k = 0; k < R; ++k) delta += row[k] * dt_proj[d * R + k];
    const double dt = softplus(delta + bias[d]);
    double y = skip[d] * u[i];
    for (std::int64_t n = 0; n < N; ++n) {
      double& h = new_state[i * N + n];
      h = std::exp(dt * A[d * N + n]) * h + dt * row[R + n] * u[i];
      y += row[R + N + n] * h;
    }
    out[i] = y * silu(z[i]);
  }

  const DeviceArray<T> device_u(store_all<T>(u)), device_z(store_all<T>(z));
  const DeviceArray<T> device_inputs(store_all<T>(inputs)), device_dt_proj(store_all<T>(dt_proj));
  const DeviceArray<float> device_A(store_all<float>(A)), device_D(store_all<float>(skip));
  const DeviceArray<float> device_bias(store_all<float>(bias));
  std::vector<T> first;
  for (int run = 0; run < 2; ++run) {
    const DeviceArray<float> device_state(store_all<float>(state));
    const DeviceArray<T> device_out(S * D);
    const SsmStepParams<T> params{.sequences = S,
                                  .channels = D,
                                  .states = N,
                                  .dt_rank = R,
                                  .state = device_state.data(),
                                  .u = device_u.data(),
                                  .dt_B_C = device_inputs.data(),
                                  .z = device_z.data(),
                                  .dt_proj = device_dt_proj.data(),
                                  .A = device_A.data(),
                                  .D = device_D.data(),
                                  .delta_bias = device_bias.data(),
                                  .out = device_out.data()};
    require(ssm_step_cuda(params, nullptr));
    // delta is rounded on the way; the fastest decay here is e^3.
    const double error = 40 * kRounding<T> + 1e-5;
    expect_close(load_all(device_out.download()), out, error, error);
    expect_close(load_all(device_state.download()), new_state, error, error);
    if (run == 1) {
      EXPECT_TRUE(same_bits(device_out.download(), first)) << "a second run differs";
    }
    first = device_out.download();
  }
}

TEST_P(SsmStepCudaTable, EqualsDefinition) {
  for_each_path([&] { for_each_decoding_type([&]<typename T>() { check<T>(GetParam()); }); });
}

TEST(SsmStepCuda, FastPathTakes16StatesAndPacketsUpToTheLongestRank) {
  const auto takes = [](std::int64_t states, std::int64_t dt_rank) {
    return fast_path_takes(SsmStepParams<BFloat16>{
        .sequences = 1, .channels = 8, .states = states, .dt_rank = dt_rank});
  };
  EXPECT_TRUE(takes(16, 160));
  EXPECT_FALSE(takes(16, 168));
  EXPECT_FALSE(takes(16, 100));
  EXPECT_FALSE(takes(8, 160));
}

TEST(SsmStepCuda, SizesOutOfRangeAreRefused) {
  EXPECT_EQ(ssm_step_cuda(SsmStepParams<float>{.sequences = 65536, .channels = 1}, nullptr),
            cudaErrorInvalidValue);
  EXPECT_EQ(ssm_step_cuda(SsmStepParams<float>{.sequences = 1, .channels = -1}, nullptr),
            cudaErrorInvalidValue);
}

INSTANTIATE_TEST_SUITE_P(, SsmStepCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
