#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/gate/gate_cuda.h"
#include "tests/cpp/kernels_cuda/device_memory.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t batch = 2, length = 37, channels = 40;
  std::int64_t kept = 11;  // rows taken by indices; 0: all, without indices
  Spacing spacing = {};
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "no_indices", .kept = 0},
      {.name = "no_rows", .length = 0, .kept = 0},
      {.name = "no_batch", .batch = 0},
      {.name = "one_channel", .channels = 1},
      {.name = "channels_1025", .channels = 1025},
      {.name = "no_channels", .channels = 0},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}},
  };
  return table;
}

class GateCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  const std::int64_t B = c.batch, L = c.length, D = c.channels, R = c.kept > 0 ? c.kept : L;
  Random random(1);
  const std::vector<double> y = rounded<T>(random.normal(B * L * D));
  // Beyond e^z's range on both sides.
  const std::vector<double> z = rounded<T>(random.normal(B * L * D, 0, 60));
  std::vector<std::int64_t> indices(B * R);
  for (std::int64_t i = 0; i < B * R; ++i) indices[i] = c.kept > 0 ? (i * 17 + 5) % L : i % R;

  const DeviceRows<T> device_y(B, L, D, c.spacing, y), device_z(B, L, D, c.spacing, z);
  const DeviceRows<T> out(B, R, D, c.spacing);
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
  require(gate_cuda(params, nullptr));

  std::vector<double> expected(B * R * D);
  for (std::int64_t i = 0; i < B * R * D; ++i) {
    const std::int64_t flat = i / D;
    const std::int64_t source = ((flat / R) * L + indices[flat]) * D + i % D;
    expected[i] = y[source] * silu(z[source]);
  }
  expect_rounded<T>(out.values(), expected, 10);
}

TEST_P(GateCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() { check<T>(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(, GateCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
