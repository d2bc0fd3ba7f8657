#include "kernels/selective_scan/selective_scan.h"

#include "kernels/selective_state_update/selective_state_update.h"
#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

// The base case; every row of kCases changes one thing of it.
struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 63, channels = 17, states = 16, gap = 3;
  bool z = true, D = true, delta_bias = true, initial_state = true, delta_softplus = true;
  double delta_mean = -2, delta_deviation = 1;
  std::vector<std::int32_t> cu_seqlens = {};
};

const Case kCases[] = {
    {},
    {.name = "length 0", .length = 0},
    {.name = "length 1", .length = 1},
    {.name = "length 2", .length = 2},
    {.name = "length 32", .length = 32},
    {.name = "length 33", .length = 33},
    {.name = "length 129", .length = 129},
    {.name = "length 1000", .batch = 1, .length = 1000},
    {.name = "no sequence", .batch = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "5 channels", .channels = 5},
    {.name = "16 channels", .channels = 16},
    {.name = "40 channels", .channels = 40},
    {.name = "64 channels", .channels = 64},
    {.name = "65 channels", .channels = 65},
    {.name = "no state", .states = 0},
    {.name = "1 state", .states = 1},
    {.name = "3 states", .states = 3},
    {.name = "13 states", .states = 13},
    {.name = "64 states", .states = 64},
    {.name = "contiguous", .gap = 0},
    {.name = "wide rows", .gap = 29},
    {.name = "no z", .z = false},
    {.name = "no D", .D = false},
    {.name = "no delta_bias", .delta_bias = false},
    {.name = "no initial_state", .initial_state = false},
    {.name = "delta as it is", .delta_softplus = false, .delta_mean = 0.5, .delta_deviation = 0.1},
    {.name = "tiny delta", .delta_mean = -60, .delta_deviation = 30},
    {.name = "huge delta", .delta_mean = 30, .delta_deviation = 60},
    {.name = "packed", .batch = 1, .length = 70, .cu_seqlens = {0, 33, 33, 34, 70}},
};

template <typename T>
struct Problem {
  using Acc = AccumulateType<T>;

  explicit Problem(const Case& c)
      : shape(c),
        sequences(c.cu_seqlens.empty() ? c.batch
                                       : static_cast<std::int64_t>(c.cu_seqlens.size()) - 1),
        u(c.batch, c.length, c.channels, c.gap),
        delta(c.batch, c.length, c.channels, c.gap + 1),
        z(c.batch, c.length, c.channels, c.gap + 2),
        B(c.batch, c.length, c.states, c.gap),
        C(c.batch, c.length, c.states, c.gap + 5),
        out(c.batch, c.length, c.channels, c.gap),
        A(c.channels * c.states),
        D(c.channels),
        bias(c.channels),
        initial(sequences * c.channels * c.states),
        last(initial.size()) {
    Normal normal(1);
    const auto unit = [&](auto...) { return normal(); };
    u.fill(unit), z.fill(unit), B.fill(unit), C.fill(unit);
    delta.fill([&](auto...) { return normal(c.delta_mean, c.delta_deviation); });
    if (!c.delta_softplus) delta.fill([&](auto...) { return std::abs(normal(c.delta_mean, 0.1)); });
    for (std::size_t i = 0; i < A.size(); ++i) {
      A[i] = static_cast<Acc>(-(1 + static_cast<double>(i % c.states)) * std::exp(normal(0, 0.3)));
    }
    for (Acc& x : D) x = static_cast<Acc>(normal());
    for (Acc& x : bias) x = static_cast<Acc>(c.delta_softplus ? normal(-1) : 0.1);
    for (Acc& x : initial) x = static_cast<Acc>(normal());
  }

  SelectiveScanParams<T> params() {
    SelectiveScanParams<T> p;
    p.sequences = {sequences, shape.length,
                   shape.cu_seqlens.empty() ? nullptr : shape.cu_seqlens.data()};
    p.channels = shape.channels;
    p.states = shape.states;
    p.u = u.view(), p.delta = delta.view(), p.B = B.view(), p.C = C.view(), p.out = out.rows();
    if (shape.z) p.z = z.view();
    p.A = A.data();
    if (shape.D) p.D = D.data();
    if (shape.delta_bias) p.delta_bias = bias.data();
    if (shape.initial_state) p.initial_state = initial.data();
    p.last_state = last.data();
    p.delta_softplus = shape.delta_softplus;
    return p;
  }

  Case shape;
  std::int64_t sequences;
  Plane<T> u, delta, z, B, C, out;
  std::vector<Acc> A, D, bias, initial, last;
};

template <typename T>
void run_all(const SelectiveScanParams<T>& params) {
  selective_scan_cpu(params, 0, selective_scan_work_items(params));
}

// Errors allowed relative to the sum of absolute terms.
template <typename T>
constexpr double tolerance() {
  return std::is_same_v<T, double> ? 1e-13 : 1e-5;
}

// The recurrence in double, one channel of one sequence at a time, beside the same with absolute
// terms.
template <typename T>
void expect_recurrence(const Problem<T>& p) {
  const Case& c = p.shape;
  constexpr double kTolerance = tolerance<T>();
  for (std::int64_t s = 0; s < p.sequences; ++s) {
    const bool packed = !c.cu_seqlens.empty();
    const std::int64_t b = packed ? 0 : s;
    const std::int64_t begin = packed ? c.cu_seqlens[s] : 0;
    const std::int64_t end = packed ? c.cu_seqlens[s + 1] : c.length;
    for (std::int64_t d = 0; d < c.channels; ++d) {
      const std::int64_t state = (s * c.channels + d) * c.states;
      std::vector<double> h(c.states), h_terms(c.states);
      for (std::int64_t n = 0; n < c.states && c.initial_state; ++n) {
        h[n] = p.initial[state + n];
        h_terms[n] = std::abs(h[n]);
      }
      for (std::int64_t t = begin; t < end; ++t) {
        double dt = p.delta(b, t, d) + (c.delta_bias ? p.bias[d] : 0);
        if (c.delta_softplus) dt = std::max(dt, 0.0) + std::log1p(std::exp(-std::abs(dt)));
        const double u = p.u(b, t, d);
        double y = c.D ? p.D[d] * u : 0, terms = std::abs(y);
        for (std::int64_t n = 0; n < c.states; ++n) {
          const double decay = std::exp(dt * p.A[d * c.states + n]);
          const double input = dt * p.B(b, t, n) * u;
          h[n] = decay * h[n] + input;
          h_terms[n] = decay * h_terms[n] + std::abs(input);
          y += p.C(b, t, n) * h[n];
          terms += std::abs(p.C(b, t, n)) * h_terms[n];
        }
        if (c.z) {
          const double z = p.z(b, t, d), gate = z / (1 + std::exp(-z));
          y *= gate;
          terms *= std::abs(gate);
        }
        ASSERT_NEAR(p.out(b, t, d), y,
                    kTolerance * terms + kRounding<T> * 1.01 * std::abs(y) + kSmallest<T>)
            << "sequence " << s << " position " << t << " channel " << d;
      }
      for (std::int64_t n = 0; n < c.states; ++n) {
        ASSERT_NEAR(p.last[state + n], h[n], kTolerance * h_terms[n] + kSmallest<double>)
            << "sequence " << s << " channel " << d << " state " << n;
      }
    }
  }
}

template <typename T>
void equals_recurrence() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Problem<T> p(c);
    run_all(p.params());
    expect_recurrence(p);
    EXPECT_TRUE(p.out.gaps_untouched());
  }
}

template <typename T>
void split_anywhere_is_whole() {
  Problem<T> whole({.length = 129});
  run_all(whole.params());
  for (std::int64_t cut : {0, 1, 7, 31, 32, 33, 64, 128, 129}) {
    SCOPED_TRACE(cut);
    Problem<T> parts({.length = 129});
    SelectiveScanParams<T> params = parts.params();
    params.sequences.length = cut;
    run_all(params);
    const std::vector<AccumulateType<T>> middle = parts.last;
    params.sequences.length = 129 - cut;
    params.u = parts.u.view(cut), params.delta = parts.delta.view(cut),
    params.z = parts.z.view(cut);
    params.B = parts.B.view(cut), params.C = parts.C.view(cut), params.out = parts.out.rows(cut);
    params.initial_state = middle.data();
    run_all(params);
    EXPECT_TRUE(same_bits(parts.out, whole.out));
    EXPECT_TRUE(same_bits(parts.last, whole.last));
  }
}

template <typename T>
void packed_equals_singles() {
  const std::vector<std::int32_t> cu_seqlens = {0, 33, 33, 34, 70};
  Problem<T> packed({.batch = 1, .length = 70, .cu_seqlens = cu_seqlens});
  Problem<T> singles = packed;
  run_all(packed.params());
  const std::int64_t state_size = packed.shape.channels * packed.shape.states;
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const std::int64_t first = cu_seqlens[s];
    SelectiveScanParams<T> params = singles.params();
    params.sequences = {1, cu_seqlens[s + 1] - first, nullptr};
    params.u = singles.u.view(first), params.delta = singles.delta.view(first);
    params.z = singles.z.view(first), params.B = singles.B.view(first);
    params.C = singles.C.view(first), params.out = singles.out.rows(first);
    params.initial_state += static_cast<std::int64_t>(s) * state_size;
    params.last_state += static_cast<std::int64_t>(s) * state_size;
    run_all(params);
  }
  EXPECT_TRUE(same_bits(packed.out, singles.out));
  EXPECT_TRUE(same_bits(packed.last, singles.last));
}

template <typename T>
void any_order_of_work_items() {
  Problem<T> once({.batch = 3, .channels = 150});
  Problem<T> backwards = once;
  run_all(once.params());
  const SelectiveScanParams<T> params = backwards.params();
  for (std::int64_t i = selective_scan_work_items(params); i-- > 0;) {
    selective_scan_cpu(params, i, i + 1);
  }
  EXPECT_TRUE(same_bits(once.out, backwards.out));
  EXPECT_TRUE(same_bits(once.last, backwards.last));
}

// Decoding token by token gives the scan's bits.
template <typename T>
void steps_equal_scan() {
  Problem<T> scanned({.length = 9, .channels = 70});
  Problem<T> stepped = scanned;
  run_all(scanned.params());
  const Case& c = scanned.shape;
  std::vector<AccumulateType<T>> state = stepped.initial;
  for (std::int64_t t = 0; t < c.length; ++t) {
    SelectiveStateUpdateParams<T> params;
    params.sequences = c.batch, params.channels = c.channels, params.states = c.states;
    params.state = state.data();
    params.state_sequence_stride = c.channels * c.states, params.state_channel_stride = c.states;
    params.u = stepped.u.view(t), params.delta = stepped.delta.view(t);
    params.z = stepped.z.view(t), params.B = stepped.B.view(t), params.C = stepped.C.view(t);
    params.out = stepped.out.rows(t);
    params.A = stepped.A.data(), params.D = stepped.D.data();
    params.delta_bias = stepped.bias.data(), params.delta_softplus = true;
    selective_state_update_cpu(params, 0, selective_state_update_work_items(params));
  }
  EXPECT_TRUE(same_bits(scanned.out, stepped.out));
  EXPECT_TRUE(same_bits(scanned.last, state));
}

// A NaN stays within its channel, and reaches all that follows it there.
template <typename T>
void nan_stays_in_its_channel() {
  Problem<T> p({.z = false});
  *p.u.at(0, 10, 4) = from_double<T>(std::nan(""));
  run_all(p.params());
  for (std::int64_t t = 0; t < p.shape.length; ++t) {
    for (std::int64_t d = 0; d < p.shape.channels; ++d) {
      EXPECT_EQ(std::isnan(p.out(0, t, d)), d == 4 && t >= 10) << t << " " << d;
      EXPECT_FALSE(std::isnan(p.out(1, t, d)));
    }
  }
}

using SelectiveScan = OnEveryTarget;
SIMBA_TEST_TYPES(SelectiveScan, EqualsRecurrence, equals_recurrence)
SIMBA_TEST_TYPES(SelectiveScan, SplitAnywhereIsWhole, split_anywhere_is_whole)
SIMBA_TEST_TYPES(SelectiveScan, PackedEqualsSingles, packed_equals_singles)
SIMBA_TEST_TYPES(SelectiveScan, AnyOrderOfWorkItems, any_order_of_work_items)
SIMBA_TEST_TYPES(SelectiveScan, StepsEqualScan, steps_equal_scan)
SIMBA_TEST_TYPES(SelectiveScan, NanStaysInItsChannel, nan_stays_in_its_channel)
INSTANTIATE_TEST_SUITE_P(Target, SelectiveScan, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
