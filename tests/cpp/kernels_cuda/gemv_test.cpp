#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/gemv/gemv_cuda.h"
#include "kernels/gemv/gemv_paths.h"
#include "tests/cpp/kernels_cuda/device_memory.h"
#include "tests/cpp/kernels_cuda/few_rows.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  std::int64_t rows, inner, outer;
  std::int64_t offset = 0;  // elements in front of the weight
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  // The fast kernel cuts a row into segments of 1280 elements of 16 bits, 640 of float, at most 8.
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
      {"one_output", 4, 5120, 1},
      {"inner_768", 4, 768, 1100},
      {"inner_1024", 3, 1024, 1100},
      {"inner_2560", 4, 2560, 1100},
      {"inner_3072", 3, 3072, 500},
      {"inner_4096", 2, 4096, 500},
      {"rounds_of_four_segments", 4, 3848, 1400},
      {"inner_5120", 4, 5120, 300},
      {"segment_and_a_packet", 2, 1288, 40},
      {"segments_end_amid_a_warp", 3, 2568, 530},
      {"longest", 2, 10240, 20},
      {"longest_of_float", 4, 5112, 20},
      {"too_long", 2, 10248, 20},
      // The sums of a block's rows would not fit.
      {"many_outputs", 4, 8, 130001},
      {"many_outputs_of_one_row", 1, 40, 70003},
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
  for_each_path([&] { for_each_decoding_type([&]<typename T>() { check<T>(GetParam()); }); });
}

TEST(GemvCuda, FastPathTakesWholePacketsUpToTheLongestRow) {
  const auto takes = []<typename T>(std::int64_t inner) {
    return fast_path_takes(GemvParams<T>{.rows = 1, .inner = inner, .outer = 1});
  };
  EXPECT_TRUE(takes.operator()<BFloat16>(10240));
  EXPECT_FALSE(takes.operator()<BFloat16>(10248));
  EXPECT_FALSE(takes.operator()<BFloat16>(2564));
  EXPECT_TRUE(takes.operator()<float>(5120));
  EXPECT_TRUE(takes.operator()<float>(2564));
  EXPECT_FALSE(takes.operator()<float>(5124));
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
