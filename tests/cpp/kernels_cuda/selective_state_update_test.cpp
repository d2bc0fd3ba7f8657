#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>

#include "kernels/selective_state_update/selective_state_update_cuda.h"
#include "kernels/selective_state_update/selective_state_update_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t sequences = 3, channels = 40, states = 16;
  Spacing spacing = {};  // of rows and of the states of a channel
  bool D = true, z = true, delta_bias = true, softplus = true;
  bool fast = true;  // whether the fast kernel takes it
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "no_sequences", .sequences = 0},
      {.name = "sequences_67_strided", .sequences = 67, .spacing = {.offset = 4, .row_gap = 8}},
      // More than a device holds at once: a block takes several in turn.
      {.name = "sequences_9_in_turns", .sequences = 9, .channels = 16389},
      {.name = "sequences_64_in_turns", .sequences = 64, .channels = 1536},
      // Alone, a sequence has more lanes to a channel.
      {.name = "sequences_3_of_2_8b", .channels = 5120},
      {.name = "one_channel", .channels = 1},
      {.name = "channels_1537", .channels = 1537},
      {.name = "no_channels", .channels = 0},
      {.name = "one_state", .states = 1, .fast = false},
      {.name = "states_3", .states = 3, .fast = false},
      {.name = "states_33", .states = 33, .fast = false},
      {.name = "states_128", .states = 128, .fast = false},
      {.name = "no_states", .states = 0, .fast = false},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}, .fast = false},
      {.name = "strided", .spacing = {.offset = 4, .row_gap = 8}},
      {.name = "unaligned_rows", .spacing = {.row_gap = 2}, .fast = false},
      {.name = "no_D", .D = false},
      {.name = "no_z", .z = false},
      {.name = "no_delta_bias", .delta_bias = false},
      {.name = "no_softplus", .softplus = false},
  };
  return table;
}

class SelectiveStateUpdateCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  const std::int64_t S = c.sequences, D = c.channels, N = c.states;
  Random random(1);
  const std::vector<double> state = rounded<Acc>(random.normal(S * D * N));
  const std::vector<double> u = rounded<T>(random.normal(S * D));
  const std::vector<double> delta =
      rounded<T>(c.softplus ? random.normal(S * D, -2, 2) : random.uniform(S * D, 0, 0.5));
  const std::vector<double> z = rounded<T>(random.normal(S * D, 0, 2));
  const std::vector<double> B = rounded<T>(random.normal(S * N));
  const std::vector<double> C = rounded<T>(random.normal(S * N));
  const std::vector<double> A = rounded<Acc>(random.decay(D * N));
  const std::vector<double> skip = rounded<Acc>(random.normal(D));
  const std::vector<double> bias = rounded<Acc>(random.uniform(D, 0, 0.5));

  const auto rows = [&](std::int64_t channels, const std::vector<double>& values) {
    return DeviceRows<T>(S, 1, channels, c.spacing, values);
  };
  const DeviceRows<T> device_u = rows(D, u), device_delta = rows(D, delta), device_z = rows(D, z);
  const DeviceRows<T> device_B = rows(N, B), device_C = rows(N, C), out(S, 1, D, c.spacing);
  const DeviceArray<Acc> device_A(store_all<Acc>(A)), device_D(store_all<Acc>(skip));
  const DeviceArray<Acc> device_bias(store_all<Acc>(bias));
  SelectiveStateUpdateParams<T> params{
      .sequences = S,
      .channels = D,
      .states = N,
      .u = device_u.const_rows(),
      .delta = device_delta.const_rows(),
      .z = c.z ? device_z.const_rows() : Rows<const T>{},
      .B = device_B.const_rows(),
      .C = device_C.const_rows(),
      .out = out.rows(),
      .A = device_A.data(),
      .D = c.D ? device_D.data() : nullptr,
      .delta_bias = c.delta_bias ? device_bias.data() : nullptr,
      .delta_softplus = c.softplus,
  };
  std::vector<double> expected_state = state;
  std::vector<double> expected_out(S * D);
  for (std::int64_t i = 0; i < S * D; ++i) {
    const std::int64_t s = i / D, d = i % D;
    double dt = delta[i] + (c.delta_bias ? bias[d] : 0);
    if (c.softplus) dt = softplus(dt);
    double y = c.D ? skip[d] * u[i] : 0;
    for (std::int64_t n = 0; n < N; ++n) {
      double& h = expected_state[i * N + n];
      h = std::exp(dt * A[d * N + n]) * h + dt * B[s * N + n] * u[i];
      y += C[s * N + n] * h;
    }
    expected_out[i] = c.z ? y * silu(z[i]) : y;
  }
  const auto use = [&](const DeviceRows<Acc>& device_state) {
    params.state = device_state.rows().data;
    params.state_sequence_stride = device_state.rows().batch_stride;
    params.state_channel_stride = device_state.rows().row_stride;
  };
  for_each_path([&] {
    const DeviceRows<Acc> device_state(S, D, N, c.spacing, state);
    params.sequences = S;
    use(device_state);
    if constexpr (sizeof(T) <= sizeof(float)) {
      if (S * D > 0) {
        EXPECT_EQ(fast_path_takes(params), c.fast);
      }
    }
    require(selective_state_update_cuda(params, nullptr));
    expect_rounded<T>(out.values(), expected_out, 100);
    expect_rounded<Acc>(device_state.values(), expected_state, 100);
    if (S == 0) return;

    const std::vector<double> all = out.values();
    const DeviceRows<Acc> fresh_state(S, D, N, c.spacing, state);
    params.sequences = 1;
    use(fresh_state);
    require(selective_state_update_cuda(params, nullptr));
    const std::vector<double> alone = out.values();
    EXPECT_TRUE(std::equal(alone.begin(), alone.begin() + D, all.begin()))
        << "sequences depend on each other";
  });
}

TEST_P(SelectiveStateUpdateCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() { check<T>(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(, SelectiveStateUpdateCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
