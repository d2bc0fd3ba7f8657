#include "kernels/causal_conv1d_backward/causal_conv1d_backward.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

// The base case; every row of kCases changes one thing of it.
struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 37, channels = 17, width = 4;
  bool bias = true, state = true, silu = true;
  std::vector<std::int32_t> cu_seqlens = {};

  std::int64_t sequences() const { return cu_seqlens.empty() ? batch : std::ssize(cu_seqlens) - 1; }
};

const Case kCases[] = {
    {},
    {.name = "length 0", .length = 0},
    {.name = "length 1", .length = 1},
    {.name = "length 32", .length = 32},
    {.name = "length 65", .length = 65},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "64 channels", .channels = 64},
    {.name = "130 channels", .channels = 130},
    {.name = "1 tap", .width = 1},
    {.name = "9 taps", .width = 9},
    {.name = "longer than the sequence", .length = 3, .width = 9},
    {.name = "no bias", .bias = false},
    {.name = "no state", .state = false},
    {.name = "no silu", .silu = false},
    {.name = "packed", .batch = 1, .length = 70, .cu_seqlens = {0, 33, 33, 34, 70}},
};

template <typename Acc>
std::vector<Acc> random_values(std::int64_t count, Normal& normal) {
  std::vector<Acc> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(from_double<Acc>(normal()));
  return values;
}

template <typename T>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  const std::int64_t D = c.channels, K = c.width, taps = K - 1, S = c.sequences();
  Normal normal(3);
  Plane<T> x(c.batch, c.length, D), grad_out(c.batch, c.length, D, 5);
  for (Plane<T>* plane : {&x, &grad_out}) plane->fill([&](auto...) { return normal(); });
  const auto weight = random_values<Acc>(D * K, normal), bias = random_values<Acc>(D, normal);
  const auto state = random_values<T>(S * D * taps, normal);
  const auto grad_state = random_values<T>(S * D * taps, normal);
  Plane<T> grad_x(c.batch, c.length, D, 1);
  std::vector<Acc> grad_weight(D * K, Acc(NAN)), grad_bias(D, Acc(NAN));
  std::vector<T> grad_initial(S * D * taps, from_double<T>(NAN));
  CausalConv1dBackwardParams<T> params;
  params.sequences = {S, c.length, c.cu_seqlens.empty() ? nullptr : c.cu_seqlens.data()};
  params.batch = c.batch, params.channels = D, params.width = K, params.silu = c.silu;
  params.x = x.view(), params.grad_out = grad_out.view(), params.grad_x = grad_x.rows();
  params.weight = weight.data(), params.grad_weight = grad_weight.data();
  if (c.bias) params.bias = bias.data(), params.grad_bias = grad_bias.data();
  if (c.state) params.initial_state = state.data(), params.grad_last_state = grad_state.data();
  if (c.state) params.grad_initial_state = grad_initial.data();
  std::vector<Acc> scratch(causal_conv1d_backward_scratch(params), Acc(NAN));
  params.scratch = scratch.data();
  // In two ranges, the later one first.
  const std::int64_t items = causal_conv1d_backward_work_items(params);
  causal_conv1d_backward_cpu(params, items / 2, items);
  causal_conv1d_backward_cpu(params, 0, items / 2);
  causal_conv1d_backward_sum_cpu(params, D / 2, D);
  causal_conv1d_backward_sum_cpu(params, 0, D / 2);

  const auto expect_near = [&](double actual, double expected, double rounding, double terms) {
    EXPECT_NEAR(actual, expected,
                1.01 * rounding * std::abs(expected) + 64 * kRounding<Acc> * terms + kSmallest<T>);
  };
  for (std::int64_t d = 0; d < D; ++d) {
    std::vector<double> expected_weight(K);
    double expected_bias = 0;
    for (std::int64_t s = 0; s < S; ++s) {
      const std::int64_t b = params.sequences.batch(s), begin = params.sequences.begin(s);
      const std::int64_t length = params.sequences.end(s) - begin;
      std::vector<double> p, grad_p(taps + length);
      for (std::int64_t j = 0; j < taps; ++j) {
        p.push_back(c.state ? to_double(state[(s * D + d) * taps + j]) : 0);
      }
      for (std::int64_t t = 0; t < length; ++t) p.push_back(x(b, begin + t, d));
      for (std::int64_t j = 0; j < taps && c.state; ++j) {
        grad_p[length + j] = to_double(grad_state[(s * D + d) * taps + j]);
      }
      for (std::int64_t t = 0; t < length; ++t) {
        double a = c.bias ? bias[d] : 0;
        for (std::int64_t k = 0; k < K; ++k) a += weight[d * K + k] * p[t + k];
        const double sigma = 1 / (1 + std::exp(-a));
        const double grad =
            grad_out(b, begin + t, d) * (c.silu ? sigma * (1 + a * (1 - sigma)) : 1);
        expected_bias += grad;
        for (std::int64_t k = 0; k < K; ++k) {
          expected_weight[k] += grad * p[t + k];
          grad_p[t + k] += weight[d * K + k] * grad;
        }
      }
      for (std::int64_t j = 0; j < taps && c.state; ++j) {
        expect_near(to_double(grad_initial[(s * D + d) * taps + j]), grad_p[j], kRounding<T>, 10);
      }
      for (std::int64_t t = 0; t < length; ++t) {
        expect_near(grad_x(b, begin + t, d), grad_p[taps + t], kRounding<T>, 10);
      }
    }
    for (std::int64_t k = 0; k < K; ++k) {
      expect_near(grad_weight[d * K + k], expected_weight[k], kRounding<Acc>, 30);
    }
    if (c.bias) expect_near(grad_bias[d], expected_bias, kRounding<Acc>, 30);
  }
  EXPECT_TRUE(grad_x.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T>(c);
  }
}

using CausalConv1dBackward = OnEveryTarget;
SIMBA_TEST_TYPES(CausalConv1dBackward, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, CausalConv1dBackward, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
