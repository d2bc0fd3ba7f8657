// That steps give a scan's bits is tested in selective_scan_test.cpp.
#include "kernels/selective_state_update/selective_state_update.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

struct Case {
  const char* name = "base";
  std::int64_t sequences = 3, channels = 17, states = 16;
  std::int64_t channel_gap = 0;  // elements between the states of neighbouring channels
  bool z = true, D = true, delta_bias = true, delta_softplus = true;
};

const Case kCases[] = {
    {},
    {.name = "no sequence", .sequences = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "5 channels", .channels = 5},
    {.name = "130 channels", .channels = 130},
    {.name = "no state", .states = 0},
    {.name = "1 state", .states = 1},
    {.name = "3 states", .states = 3},
    {.name = "64 states", .states = 64},
    {.name = "strided state", .channel_gap = 5},
    {.name = "no z", .z = false},
    {.name = "no D", .D = false},
    {.name = "no delta_bias", .delta_bias = false},
    {.name = "delta as it is", .delta_softplus = false},
};

template <typename T>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  constexpr double kTolerance = std::is_same_v<T, double> ? 1e-14 : 2e-6;
  Normal normal(2);
  const auto unit = [&](auto...) { return normal(); };
  Plane<T> u(c.sequences, 1, c.channels), delta(c.sequences, 1, c.channels, 4);
  Plane<T> z(c.sequences, 1, c.channels, 1), out(c.sequences, 1, c.channels, 2);
  Plane<T> B(c.sequences, 1, c.states), C(c.sequences, 1, c.states, 6);
  u.fill(unit), delta.fill([&](auto...) { return std::abs(normal()); });
  z.fill(unit), B.fill(unit), C.fill(unit);
  Plane<Acc> state(c.sequences, c.channels, c.states, c.channel_gap);
  state.fill(unit);
  const Plane<Acc> before = state;
  std::vector<Acc> A(c.channels * c.states), D(c.channels), bias(c.channels);
  for (Acc& x : A) x = static_cast<Acc>(-std::exp(normal()));
  for (Acc& x : D) x = static_cast<Acc>(normal());
  for (Acc& x : bias) x = static_cast<Acc>(std::abs(normal()));

  SelectiveStateUpdateParams<T> params;
  params.sequences = c.sequences, params.channels = c.channels, params.states = c.states;
  params.state = state.rows().data;
  params.state_sequence_stride = state.rows().batch_stride;
  params.state_channel_stride = state.rows().row_stride;
  params.u = u.view(), params.delta = delta.view(), params.B = B.view(), params.C = C.view();
  if (c.z) params.z = z.view();
  params.out = out.rows();
  params.A = A.data();
  if (c.D) params.D = D.data();
  if (c.delta_bias) params.delta_bias = bias.data();
  params.delta_softplus = c.delta_softplus;
  selective_state_update_cpu(params, 0, selective_state_update_work_items(params));

  for (std::int64_t s = 0; s < c.sequences; ++s) {
    for (std::int64_t d = 0; d < c.channels; ++d) {
      double dt = delta(s, 0, d) + (c.delta_bias ? bias[d] : 0);
      if (c.delta_softplus) dt = std::log1p(std::exp(dt));
      double y = c.D ? D[d] * u(s, 0, d) : 0, terms = std::abs(y);
      for (std::int64_t n = 0; n < c.states; ++n) {
        const double kept = std::exp(dt * A[d * c.states + n]) * before(s, d, n);
        const double input = dt * B(s, 0, n) * u(s, 0, d);
        EXPECT_NEAR(state(s, d, n), kept + input,
                    kTolerance * (std::abs(kept) + std::abs(input)) + 1e-300);
        y += C(s, 0, n) * (kept + input);
        terms += std::abs(C(s, 0, n)) * (std::abs(kept) + std::abs(input));
      }
      const double gate = c.z ? z(s, 0, d) / (1 + std::exp(-z(s, 0, d))) : 1;
      EXPECT_NEAR(out(s, 0, d), y * gate,
                  kTolerance * terms * std::abs(gate) + 1.01 * kRounding<T> * std::abs(y * gate) +
                      kSmallest<T>);
    }
  }
  EXPECT_TRUE(out.gaps_untouched());
  EXPECT_TRUE(state.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T>(c);
  }
}

using SelectiveStateUpdate = OnEveryTarget;
SIMBA_TEST_TYPES(SelectiveStateUpdate, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, SelectiveStateUpdate, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
