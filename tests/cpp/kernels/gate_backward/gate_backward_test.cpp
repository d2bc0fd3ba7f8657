#include "kernels/gate_backward/gate_backward.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 9, channels = 17;
  std::vector<std::int64_t> indices = {};  // (B, R); empty: all rows
};

const Case kCases[] = {
    {},
    {.name = "no row", .length = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "16 channels", .channels = 16},
    {.name = "40 channels", .channels = 40},
    {.name = "gathered", .indices = {8, 0, 3, 1, 7, 2}},
    {.name = "gathered twice", .indices = {8, 0, 8, 1, 1, 1}},
};

template <typename T>
void check(const Case& c) {
  Normal normal(3);
  const std::int64_t rows =
      c.indices.empty() ? c.length : std::ssize(c.indices) / std::max<std::int64_t>(c.batch, 1);
  Plane<T> y(c.batch, c.length, c.channels), z(c.batch, c.length, c.channels, 5);
  Plane<T> grad_out(c.batch, rows, c.channels, 2);
  for (Plane<T>* plane : {&y, &grad_out}) plane->fill([&](auto...) { return normal(); });
  z.fill([&](auto...) { return normal(0, 5); });
  Plane<T> grad_y(c.batch, c.length, c.channels, 1), grad_z(c.batch, c.length, c.channels, 4);
  std::vector<std::int64_t> heads(c.batch * c.length), followers(c.batch * rows);
  GateBackwardParams<T> params;
  params.batch = c.batch, params.channels = c.channels;
  params.picked = {.sources = c.length, .rows = rows};
  if (!c.indices.empty()) {
    link_picked_rows_cpu(
        {c.batch, c.length, rows, c.indices.data(), heads.data(), followers.data()});
    params.picked.heads = heads.data(), params.picked.followers = followers.data();
  }
  params.y = y.view(), params.z = z.view(), params.grad_out = grad_out.view();
  params.grad_y = grad_y.rows(), params.grad_z = grad_z.rows();
  // In two ranges, the later one first.
  const std::int64_t sources = c.batch * c.length;
  gate_backward_cpu(params, sources / 2, sources);
  gate_backward_cpu(params, 0, sources / 2);

  constexpr double kTolerance = std::is_same_v<T, double> ? 4e-15 : 2e-6;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t l = 0; l < c.length; ++l) {
      for (std::int64_t d = 0; d < c.channels; ++d) {
        double grad = c.indices.empty() ? grad_out(b, l, d) : 0, size = std::abs(grad);
        for (std::int64_t r = 0; !c.indices.empty() && r < rows; ++r) {
          if (c.indices[b * rows + r] != l) continue;
          grad += grad_out(b, r, d), size += std::abs(grad_out(b, r, d));
        }
        const double x = z(b, l, d), s = 1 / (1 + std::exp(-x));
        const auto expect_near = [&](double actual, double factor, double terms) {
          EXPECT_NEAR(actual, grad * factor,
                      kTolerance * size * std::abs(terms) +
                          1.01 * kRounding<T> * std::abs(grad * factor) + kSmallest<T>)
              << b << " " << l << " " << d;
        };
        expect_near(grad_y(b, l, d), x * s, x * s);
        // The slope's two terms cancel near x = -1.28.
        expect_near(grad_z(b, l, d), y(b, l, d) * s * (1 + x * (1 - s)),
                    y(b, l, d) * s * (1 + std::abs(x) * (1 - s)));
      }
    }
  }
  EXPECT_TRUE(grad_y.gaps_untouched() && grad_z.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T>(c);
  }
}

using GateBackward = OnEveryTarget;
SIMBA_TEST_TYPES(GateBackward, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, GateBackward, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
