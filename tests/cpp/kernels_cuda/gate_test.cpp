#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/gate/gate_cuda.h"
#include "kernels/gate/gate_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t batch = 2, length = 37, channels = 40;
  std::int64_t kept = 11;  // rows taken by indices; 0: all, without indices
  Spacing spacing = {}, z_spacing = {};
  bool fast = true;       // whether the fast kernel takes it
  double deviation = 60;  // of z: beyond e^z's range on both sides
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "no_indices", .kept = 0},
      {.name = "no_rows", .length = 0, .kept = 0},
      {.name = "no_batch", .batch = 0},
      {.name = "one_channel", .channels = 1, .fast = false},
      {.name = "one_packet", .channels = 8},
      {.name = "channels_264", .channels = 264},
      {.name = "channels_1025", .channels = 1025, .fast = false},
      {.name = "channels_1536", .channels = 1536, .deviation = 2},
      {.name = "channels_5120", .length = 9, .channels = 5120, .kept = 7, .deviation = 2},
      {.name = "channels_8200", .length = 5, .channels = 8200, .kept = 3},
      {.name = "no_channels", .channels = 0},
      {.name = "unaligned",
       .spacing = {.offset = 1, .row_gap = 3},
       .z_spacing = {.offset = 1, .row_gap = 3},
       .fast = false},
      {.name = "unaligned_rows_of_z", .z_spacing = {.row_gap = 2}, .fast = false},
      {.name = "unaligned_z", .z_spacing = {.offset = 1, .row_gap = 15}, .fast = false},
      {.name = "strided", .spacing = {.offset = 8, .row_gap = 16}, .z_spacing = {.row_gap = 40}},
  };
  return table;
}

class GateCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  const std::int64_t B = c.batch, L = c.length, D = c.channels, R = c.kept > 0 ? c.kept : L;
  Random random(1);
  const std::vector<double> y = rounded<T>(random.normal(B * L * D));
  const std::vector<double> z = rounded<T>(random.normal(B * L * D, 0, c.deviation));
  std::vector<std::int64_t> indices(B * R);
  for (std::int64_t i = 0; i < B * R; ++i) indices[i] = c.kept > 0 ? (i * 17 + 5) % L : i % R;

  const DeviceRows<T> device_y(B, L, D, c.spacing, y), device_z(B, L, D, c.z_spacing, z);
  DeviceRows<T> out(B, R, D, c.spacing);
  const DeviceArray<std::int64_t> device_indices(indices);
  const GateParams<T> params{
      .batch = B,
      .rows = R,
      .channels = D,
      .y = device_y.const_rows(),
      .z = device_z.const_rows(),
      .indices = c.kept > 0 ? device_indices.data() : nullptr,
      .out = out.rows(),
  };
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (B * R * D > 0) {
      EXPECT_EQ(fast_path_takes(params), c.fast);
    }
  }

  std::vector<double> expected(B * R * D);
  for (std::int64_t i = 0; i < B * R * D; ++i) {
    const std::int64_t flat = i / D;
    const std::int64_t source = ((flat / R) * L + indices[flat]) * D + i % D;
    expected[i] = y[source] * silu(z[source]);
  }
  for_each_path([&] {
    out.poison();
    require(gate_cuda(params, nullptr));
    expect_rounded<T>(out.values(), expected, 10);
    expect_norm_error_of_rounding<T>(out.values(), expected);
    const std::vector<T> first = out.bits();
    out.poison();
    require(gate_cuda(params, nullptr));
    EXPECT_TRUE(same_bits(out.bits(), first)) << "a second run differs";
  });
}

TEST_P(GateCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() { check<T>(GetParam()); });
}

template <typename T>
void check_special_values() {
  const double infinity = INFINITY, nan = std::nan("");
  const std::vector<double> z = rounded<T>(
      {infinity, -infinity, nan, 0, -0.0, 88, -88, -89, 1e-40, -1e-40, 1, -1, 1e4, -1e4, 30, -30});
  const std::int64_t D = std::ssize(z);
  for (const double factor : {1.0, -2.5, 0.0, nan}) {
    const std::vector<double> y(D, factor);
    const DeviceRows<T> device_y(1, 1, D, {}, y), device_z(1, 1, D, {}, z);
    DeviceRows<T> out(1, 1, D, {});
    const GateParams<T> params{.batch = 1,
                               .rows = 1,
                               .channels = D,
                               .y = device_y.const_rows(),
                               .z = device_z.const_rows(),
                               .out = out.rows()};
    std::vector<double> expected;
    for (const double value : z) expected.push_back(factor * silu(value));
    for_each_path([&] {
      out.poison();
      require(gate_cuda(params, nullptr));
      const std::vector<double> actual = out.values();
      for (std::int64_t d = 0; d < D; ++d) {
        SCOPED_TRACE(testing::Message() << "y " << factor << ", z " << z[d]);
        const double best = load(store<T>(expected[d]));
        if (std::isnan(best)) {
          EXPECT_TRUE(std::isnan(actual[d])) << actual[d];
        } else if (std::isinf(best)) {
          EXPECT_EQ(actual[d], best);
        } else {
          // Where e^-z overflows, results below the smallest normal float may be 0.
          EXPECT_NEAR(actual[d], best,
                      (sizeof(T) == 2 ? 3 : 10) * kRounding<T> * std::abs(best) + 0x1p-114);
        }
      }
    });
  }
}

TEST(GateCuda, SpecialValues) {
  for_each_storage_type([&]<typename T>() { check_special_values<T>(); });
}

INSTANTIATE_TEST_SUITE_P(, GateCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
