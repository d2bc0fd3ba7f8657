#include "kernels/add_norm/add_norm.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 9, channels = 17;
  bool residual = true, bias = false;
  double mean = 0.5, deviation = 1, eps = 1e-5;
  std::vector<std::int64_t> indices = {};  // (B, R); empty: all rows
};

const Case kCases[] = {
    {},
    {.name = "no row", .length = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "5 channels", .channels = 5},
    {.name = "16 channels", .channels = 16},
    {.name = "40 channels", .channels = 40},
    {.name = "1001 channels", .channels = 1001},
    {.name = "LayerNorm", .bias = true},
    {.name = "LayerNorm, 1001 channels", .channels = 1001, .bias = true},
    {.name = "LayerNorm, mean above deviation", .bias = true, .mean = 30},
    {.name = "no residual", .residual = false},
    {.name = "gathered residual", .indices = {8, 0, 3, 1, 1, 2}},
    {.name = "gathered x", .residual = false, .indices = {8, 0, 3, 1, 1, 2}},
    {.name = "large eps", .eps = 3},
    {.name = "all zero", .mean = 0, .deviation = 0},
};

template <typename T, typename R>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  Normal normal(4);
  const std::int64_t rows =
      c.indices.empty() ? c.length : static_cast<std::int64_t>(c.indices.size()) / c.batch;
  const std::int64_t x_rows = c.residual ? rows : c.length;
  Plane<T> x(c.batch, x_rows, c.channels), normed(c.batch, rows, c.channels, 2);
  Plane<R> residual(c.batch, c.length, c.channels, 5), sum(c.batch, rows, c.channels, 1);
  x.fill([&](auto...) { return normal(c.mean, c.deviation); });
  residual.fill([&](auto...) { return normal(c.mean, c.deviation); });
  std::vector<Acc> weight(c.channels), bias(c.channels);
  for (Acc& w : weight) w = static_cast<Acc>(normal());
  for (Acc& b : bias) b = static_cast<Acc>(normal());

  AddNormParams<T, R> params;
  params.batch = c.batch, params.rows = rows, params.channels = c.channels, params.eps = c.eps;
  params.x = x.view(), params.normed = normed.rows(), params.new_residual = sum.rows();
  if (c.residual) params.residual = residual.view();
  if (!c.indices.empty()) params.indices = c.indices.data();
  params.weight = weight.data();
  if (c.bias) params.bias = bias.data();
  add_norm_cpu(params, c.batch * rows / 2, c.batch * rows);
  add_norm_cpu(params, 0, c.batch * rows / 2);

  constexpr double kAcc = std::is_same_v<T, double> ? 1e-15 : 5e-7;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t i = c.indices.empty() ? r : c.indices[b * rows + r];
      std::vector<double> s(c.channels);
      double mean = 0, variance = 0, largest = 0;
      for (std::int64_t d = 0; d < c.channels; ++d) {
        s[d] = c.residual ? x(b, r, d) + residual(b, i, d) : x(b, i, d);
        mean += s[d] / static_cast<double>(c.channels);
        largest = std::max(largest, std::abs(s[d]));
        EXPECT_NEAR(sum(b, r, d), s[d], (kAcc + 1.01 * kRounding<R>)*std::abs(s[d]));
      }
      if (!c.bias) mean = 0;
      for (double value : s) {
        variance += (value - mean) * (value - mean) / static_cast<double>(c.channels);
      }
      const double scale = 1 / std::sqrt(variance + c.eps);
      for (std::int64_t d = 0; d < c.channels; ++d) {
        const double product = (s[d] - mean) * scale * weight[d];
        const double expected = product + (c.bias ? bias[d] : 0);
        // The mean is known to a relative kAcc of the row's largest number.
        const double slack = kAcc * (std::abs(product) + std::abs(expected) +
                                     (c.bias ? largest * scale * std::abs(weight[d]) : 0));
        EXPECT_NEAR(normed(b, r, d), expected,
                    slack + 1.01 * kRounding<T> * std::abs(expected) + kSmallest<T>)
            << b << " " << r << " " << d;
      }
    }
  }
  EXPECT_TRUE(normed.gaps_untouched());
  EXPECT_TRUE(sum.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T, T>(c);
    if (sizeof(T) == 2) check<T, AccumulateType<T>>(c);
  }
}

using AddNorm = OnEveryTarget;
SIMBA_TEST_TYPES(AddNorm, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, AddNorm, ::testing::ValuesIn(supported_targets()), target_name);

}  // namespace
}  // namespace simba::kernels::testing
