#include "kernels/gate/gate.h"

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
    {.name = "5 channels", .channels = 5},
    {.name = "16 channels", .channels = 16},
    {.name = "40 channels", .channels = 40},
    {.name = "gathered", .indices = {8, 0, 3, 1, 1, 2}},
};

template <typename T>
void check(const Case& c) {
  Normal normal(3);
  Plane<T> y(c.batch, c.length, c.channels), z(c.batch, c.length, c.channels, 5);
  y.fill([&](auto...) { return normal(); });
  z.fill([&](auto...) { return normal(0, 5); });
  GateParams<T> params;
  params.batch = c.batch, params.channels = c.channels;
  params.rows =
      c.indices.empty() ? c.length : static_cast<std::int64_t>(c.indices.size()) / c.batch;
  Plane<T> out(c.batch, params.rows, c.channels, 1);
  params.y = y.view(), params.z = z.view(), params.out = out.rows();
  if (!c.indices.empty()) params.indices = c.indices.data();
  // In two ranges, the later one first.
  const std::int64_t flat_rows = c.batch * params.rows;
  gate_cpu(params, flat_rows / 2, flat_rows);
  gate_cpu(params, 0, flat_rows / 2);

  constexpr double kTolerance = std::is_same_v<T, double> ? 1e-15 : 1e-6;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t r = 0; r < params.rows; ++r) {
      const std::int64_t i = c.indices.empty() ? r : c.indices[b * params.rows + r];
      for (std::int64_t d = 0; d < c.channels; ++d) {
        const double expected = y(b, i, d) * z(b, i, d) / (1 + std::exp(-z(b, i, d)));
        EXPECT_NEAR(out(b, r, d), expected,
                    (kTolerance + 1.01 * kRounding<T>)*std::abs(expected) + kSmallest<T>)
            << b << " " << r << " " << d;
      }
    }
  }
  EXPECT_TRUE(out.gaps_untouched());
}

template <typename T>
void equals_formula() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    check<T>(c);
  }
}

using Gate = OnEveryTarget;
SIMBA_TEST_TYPES(Gate, EqualsFormula, equals_formula)
INSTANTIATE_TEST_SUITE_P(Target, Gate, ::testing::ValuesIn(supported_targets()), target_name);

}  // namespace
}  // namespace simba::kernels::testing
