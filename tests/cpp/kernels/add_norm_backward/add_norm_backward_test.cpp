#include "kernels/add_norm_backward/add_norm_backward.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

// The base case; every row of kCases changes one thing of it.
struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 9, channels = 17;
  bool layer_norm = false, residual = true, grad_residual = true;
  std::vector<std::int64_t> indices = {};  // (B, R); empty: all rows
};

const Case kCases[] = {
    {},
    {.name = "no row", .length = 0},
    {.name = "more than a run", .length = 150},
    {.name = "1 channel", .channels = 1},
    {.name = "16 channels", .channels = 16},
    {.name = "100 channels", .channels = 100},
    {.name = "LayerNorm", .layer_norm = true},
    {.name = "no residual", .residual = false},
    {.name = "no gradient of the residual", .grad_residual = false},
    {.name = "gathered", .indices = {8, 0, 3, 1, 7, 2}},
    {.name = "gathered twice", .layer_norm = true, .indices = {8, 0, 8, 1, 1, 1}},
    {.name = "gathered, no residual", .residual = false, .indices = {8, 0, 8, 1, 7, 2}},
};

constexpr double kEps = 1e-5;

template <typename T, typename R>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  const std::int64_t D = c.channels, B = c.batch, L = c.length;
  const std::int64_t rows = c.indices.empty() ? L : std::ssize(c.indices) / B;
  Normal normal(3);
  Plane<R> s(B, rows, D), more(B, rows, D, 5);
  Plane<T> grad(B, rows, D, 2), grad_x(B, c.residual ? rows : L, D, 1);
  Plane<R> grad_residual(B, L, D, 4);
  s.fill([&](auto...) { return normal(0.5); });
  more.fill([&](auto...) { return normal(); });
  grad.fill([&](auto...) { return normal(); });
  std::vector<Acc> weight, grad_weight(D, Acc(NAN)), grad_bias(D, Acc(NAN));
  for (std::int64_t d = 0; d < D; ++d) weight.push_back(from_double<Acc>(normal(1)));
  std::vector<std::int64_t> heads(B * L), followers(B * rows);
  AddNormBackwardParams<T, R> params;
  params.batch = B, params.channels = D, params.eps = kEps;
  params.picked = {.sources = L, .rows = rows};
  if (!c.indices.empty()) {
    link_picked_rows_cpu({B, L, rows, c.indices.data(), heads.data(), followers.data()});
    params.picked.heads = heads.data(), params.picked.followers = followers.data();
  }
  params.new_residual = s.view(), params.grad_normed = grad.view();
  if (c.grad_residual) params.grad_new_residual = more.view();
  params.weight = weight.data(), params.grad_weight = grad_weight.data();
  if (c.layer_norm) params.grad_bias = grad_bias.data();
  params.grad_x = grad_x.rows();
  if (c.residual) params.grad_residual = grad_residual.rows();
  std::vector<Acc> scratch(add_norm_backward_scratch(params), Acc(NAN));
  params.scratch = scratch.data();
  // In two ranges, the later one first.
  const std::int64_t items = add_norm_backward_work_items(params);
  add_norm_backward_cpu(params, items / 2, items);
  add_norm_backward_cpu(params, 0, items / 2);
  add_norm_backward_sum_cpu(params, D / 2, D);
  add_norm_backward_sum_cpu(params, 0, D / 2);

  const auto expect_near = [&](double actual, double expected, double rounding, double terms) {
    EXPECT_NEAR(actual, expected,
                1.01 * rounding * std::abs(expected) + 32 * kRounding<Acc> * terms + kSmallest<T>);
  };
  std::vector<double> expected_source(B * L * D), expected_weight(D), expected_bias(D);
  std::vector<double> size(B * L, 1);
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t r = 0; r < rows; ++r) {
      double mean = 0, variance = 0, along = 0, offset = 0;
      for (std::int64_t d = 0; d < D && c.layer_norm; ++d) mean += s(b, r, d) / D;
      for (std::int64_t d = 0; d < D; ++d) variance += std::pow(s(b, r, d) - mean, 2) / D;
      const double scale = 1 / std::sqrt(variance + kEps);
      const auto e = [&](std::int64_t d) { return (s(b, r, d) - mean) * scale; };
      for (std::int64_t d = 0; d < D; ++d) {
        along += grad(b, r, d) * weight[d] * e(d) / D;
        if (c.layer_norm) offset += grad(b, r, d) * weight[d] / D;
      }
      const std::int64_t source = b * L + (c.indices.empty() ? r : c.indices[b * rows + r]);
      size[source] += 8 * scale;
      for (std::int64_t d = 0; d < D; ++d) {
        double ds = (grad(b, r, d) * weight[d] - e(d) * along - offset) * scale;
        if (c.grad_residual) ds += more(b, r, d);
        if (c.residual) expect_near(grad_x(b, r, d), ds, kRounding<T>, size[source]);
        expected_source[source * D + d] += ds;
        expected_weight[d] += grad(b, r, d) * e(d);
        expected_bias[d] += grad(b, r, d);
      }
    }
    for (std::int64_t i = b * L * D; i < (b + 1) * L * D; ++i) {
      const std::int64_t l = i / D % L, d = i % D;
      expect_near(c.residual ? grad_residual(b, l, d) : grad_x(b, l, d), expected_source[i],
                  c.residual ? kRounding<R> : kRounding<T>, size[i / D]);
    }
  }
  for (std::int64_t d = 0; d < D; ++d) {
    expect_near(grad_weight[d], expected_weight[d], kRounding<Acc>, 30);
    if (c.layer_norm) expect_near(grad_bias[d], expected_bias[d], kRounding<Acc>, 30);
  }
  EXPECT_TRUE(grad_x.gaps_untouched() && grad_residual.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T, T>(c);
    check<T, AccumulateType<T>>(c);
  }
}

using AddNormBackward = OnEveryTarget;
SIMBA_TEST_TYPES(AddNormBackward, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, AddNormBackward, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
