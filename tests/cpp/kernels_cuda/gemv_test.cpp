#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/gemv/gemv_cuda.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/few_rows.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t rows, inner, outer;
  std::int64_t offset = 0;  // elements in front of the weight
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {"one_element", 1, 1, 1},
      {"no_rows", 0, 8, 8},
      {"no_inner", 2, 0, 9},
      {"no_outer", 2, 8, 0},
      {"one_packet", 1, 8, 3},
      {"odd_inner", 2, 37, 19},
      {"unaligned_weight", 2, 64, 19, 1},
      {"x_proj_of_130m", 1, 1536, 80},
      {"three_rows", 3, 1536, 80},
      {"several_warps_to_a_row", 4, 2048, 33},
      {"one_warp_to_a_row", 4, 264, 2100},
      {"ragged_last_block", 2, 520, 2053},
  };
  return table;
}

class GemvCudaTable : public testing::TestWithParam<Case> {};

template <typename T>
void check(const Case& c) {
  Random random(1);
  const std::vector<double> x = rounded<T>(random.normal(c.rows * c.inner));
  const std::vector<double> weight = rounded<T>(random.normal(c.outer * c.inner));
  const DeviceArray<T> device_x(store_all<T>(x));
  const DeviceRows<T> device_weight(1, 1, c.outer * c.inner, {.offset = c.offset}, weight);
  DeviceArray<T> out(c.rows * c.outer);
  GemvParams<T> params{.rows = c.rows,
                       .inner = c.inner,
                       .outer = c.outer,
                       .x = device_x.data(),
                       .weight = device_weight.rows().data,
                       .out = out.data()};
  require(gemv_cuda(params, nullptr));
  const std::vector<T> first = out.download();
  expect_close(load_all(first), product(x, weight, c.rows, c.inner, c.outer), 1.01 * kRounding<T>,
               1e-6);

  out.poison();
  require(gemv_cuda(params, nullptr));
  EXPECT_TRUE(same_bits(out.download(), first)) << "a second run differs";
  // A row alone gives what it gives among others.
  params.rows = 1;
  for (std::int64_t s = 0; s < c.rows; ++s) {
    params.x = device_x.data() + s * c.inner;
    params.out = out.data() + s * c.outer;
    require(gemv_cuda(params, nullptr));
  }
  EXPECT_TRUE(same_bits(out.download(), first)) << "rows depend on each other";
}

TEST_P(GemvCudaTable, EqualsDefinition) {
  for_each_decoding_type([&]<typename T>() { check<T>(GetParam()); });
}

TEST(GemvCuda, SizesOutOfRangeAreRefused) {
  EXPECT_EQ(gemv_cuda(GemvParams<float>{.rows = 5, .inner = 1, .outer = 1}, nullptr),
            cudaErrorInvalidValue);
  EXPECT_EQ(gemv_cuda(GemvParams<float>{.rows = -1}, nullptr), cudaErrorInvalidValue);
}

INSTANTIATE_TEST_SUITE_P(, GemvCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
