#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/add_norm/add_norm_cuda.h"
#include "kernels/add_norm/add_norm_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t batch = 2, length = 37, channels = 40;
  std::int64_t kept = 11;  // rows taken by indices; 0: all, without indices
  bool residual = true, bias = false;
  double mean = 0.5;
  Spacing spacing = {}, x_spacing = {};
  bool fast = true;  // whether the fast kernel takes it
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "no_indices", .kept = 0},
      {.name = "no_residual", .residual = false},
      {.name = "no_residual_no_indices", .kept = 0, .residual = false},
      {.name = "layer_norm", .bias = true},
      {.name = "layer_norm_far_mean", .bias = true, .mean = 300},
      {.name = "no_rows", .length = 0, .kept = 0},
      {.name = "no_batch", .batch = 0},
      {.name = "one_channel", .channels = 1, .fast = false},
      {.name = "one_packet", .channels = 8},
      {.name = "channels_255", .channels = 255, .fast = false},
      {.name = "channels_264", .channels = 264, .bias = true},
      {.name = "channels_768", .channels = 768},
      {.name = "channels_1032", .channels = 1032, .bias = true},
      {.name = "channels_2048", .channels = 2048},
      {.name = "channels_2056", .channels = 2056, .kept = 5},
      {.name = "channels_2560", .channels = 2560, .kept = 5},
      {.name = "channels_2560_layer_norm", .channels = 2560, .kept = 5, .bias = true},
      {.name = "channels_5121", .channels = 5121, .fast = false},
      {.name = "channels_8192", .length = 7, .channels = 8192, .kept = 3},
      {.name = "channels_8192_layer_norm",
       .length = 7,
       .channels = 8192,
       .kept = 0,
       .residual = false,
       .bias = true},
      {.name = "channels_8200", .length = 7, .channels = 8200, .kept = 3, .fast = false},
      {.name = "no_channels", .channels = 0},
      {.name = "unaligned",
       .spacing = {.offset = 1, .row_gap = 3},
       .x_spacing = {.offset = 1, .row_gap = 3},
       .fast = false},
      {.name = "unaligned_x", .x_spacing = {.offset = 1, .row_gap = 7}, .fast = false},
      {.name = "unaligned_rows_of_x", .x_spacing = {.row_gap = 2}, .fast = false},
      {.name = "strided", .spacing = {.offset = 8, .row_gap = 16}, .x_spacing = {.row_gap = 24}},
  };
  return table;
}

class AddNormCudaTable : public testing::TestWithParam<Case> {};

template <typename T, typename R>
void check(const Case& c) {
  using Acc = AccumulateType<T>;
  const std::int64_t B = c.batch, L = c.length, D = c.channels, K = c.kept > 0 ? c.kept : L;
  // x has the rows of the output where it is added to a residual, else all of them.
  const std::int64_t x_rows = c.residual ? K : L;
  Random random(1);
  const std::vector<double> x = rounded<T>(random.normal(B * x_rows * D));
  const std::vector<double> residual = rounded<R>(random.normal(B * L * D, c.mean, 3));
  const std::vector<double> weight = rounded<Acc>(random.normal(D));
  const std::vector<double> bias = rounded<Acc>(random.normal(D));
  const double eps = 1e-5;
  std::vector<std::int64_t> indices(B * K);
  for (std::int64_t i = 0; i < B * K; ++i) indices[i] = c.kept > 0 ? (i * 17 + 5) % L : i % K;

  const DeviceRows<T> device_x(B, x_rows, D, c.x_spacing, x);
  const DeviceRows<R> device_residual(B, L, D, c.spacing, residual);
  const DeviceArray<Acc> device_weight(store_all<Acc>(weight)), device_bias(store_all<Acc>(bias));
  const DeviceArray<std::int64_t> device_indices(indices);
  DeviceRows<T> normed(B, K, D, c.spacing);
  DeviceRows<R> new_residual(B, K, D, c.spacing);
  const AddNormParams<T, R> params{
      .batch = B,
      .rows = K,
      .channels = D,
      .x = device_x.const_rows(),
      .residual = c.residual ? device_residual.const_rows() : Rows<const R>{},
      .indices = c.kept > 0 ? device_indices.data() : nullptr,
      .weight = device_weight.data(),
      .bias = c.bias ? device_bias.data() : nullptr,
      .normed = normed.rows(),
      .new_residual = new_residual.rows(),
      .eps = eps,
  };
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (B * K * D > 0) {
      EXPECT_EQ(fast_path_takes(params), c.fast);
    }
  }

  std::vector<double> expected_normed(B * K * D), expected_residual(B * K * D);
  for (std::int64_t row = 0; row < B * K; ++row) {
    const std::int64_t picked = (row / K) * L + indices[row];
    double* s = expected_residual.data() + row * D;
    for (std::int64_t d = 0; d < D; ++d) {
      s[d] = c.residual ? x[row * D + d] + residual[picked * D + d] : x[picked * D + d];
    }
    double mean = 0, squares = 0;
    for (std::int64_t d = 0; d < D; ++d) mean += c.bias ? s[d] / D : 0;
    for (std::int64_t d = 0; d < D; ++d) squares += (s[d] - mean) * (s[d] - mean);
    for (std::int64_t d = 0; d < D; ++d) {
      expected_normed[row * D + d] =
          (s[d] - mean) / std::sqrt(squares / D + eps) * weight[d] + (c.bias ? bias[d] : 0);
    }
  }
  for_each_path([&] {
    normed.poison();
    new_residual.poison();
    require(add_norm_cuda(params, nullptr));
    // s - mean costs what it cancels.
    expect_rounded<T>(normed.values(), expected_normed, c.mean > 1 ? 1000 : 50);
    expect_rounded<R>(new_residual.values(), expected_residual, 2);
    expect_norm_error_of_rounding<T>(normed.values(), expected_normed);
    expect_norm_error_of_rounding<R>(new_residual.values(), expected_residual);
    const std::vector<T> first = normed.bits();
    const std::vector<R> first_residual = new_residual.bits();
    normed.poison();
    new_residual.poison();
    require(add_norm_cuda(params, nullptr));
    EXPECT_TRUE(same_bits(normed.bits(), first)) << "a second run differs";
    EXPECT_TRUE(same_bits(new_residual.bits(), first_residual)) << "a second run differs";
  });
}

TEST_P(AddNormCudaTable, EqualsDefinition) {
  for_each_storage_type([&]<typename T>() {
    check<T, T>(GetParam());
    if (sizeof(T) == 2) {
      SCOPED_TRACE("float32 residual");
      check<T, AccumulateType<T>>(GetParam());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(, AddNormCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
