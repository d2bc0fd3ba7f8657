#include "csrc/model/linear.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

namespace simba {
namespace {

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::TensorOptions(dtype));
}

TEST(Linear, RowsDependNeitherOnTheBatchNorOnThreads) {
  struct Shape {
    std::int64_t inner, outer;
  };
  const int threads_before = at::get_num_threads();
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    for (const auto& [inner, outer] :
         {Shape{24, 48}, {384, 1536}, {768, 56}, {1536, 80}, {2048, 192}, {5120, 256}}) {
      const at::Tensor weight = random({outer, inner}, dtype, 1);
      const at::Tensor x = random({700, inner}, dtype, 2);
      const at::Tensor whole = apply_linear(x, weight, {});
      for (const int threads : {1, 2, 16}) {
        at::set_num_threads(threads);
        for (const std::int64_t rows : {1, 2, 15, 16, 17, 100, 333, 512}) {
          const std::int64_t first = 700 - rows;
          EXPECT_TRUE(apply_linear(x.narrow(0, first, rows), weight, {})
                          .equal(whole.narrow(0, first, rows)))
              << inner << "x" << outer << " rows " << rows << " threads " << threads;
        }
      }
      at::set_num_threads(threads_before);
    }
  }
}

TEST(Linear, EqualsTorchWithStridesAndBias) {
  const at::Tensor weight = random({10, 900}, at::kDouble, 1);
  const at::Tensor bias = random({10}, at::kDouble, 2);
  const at::Tensor x = random({33, 1000}, at::kDouble, 3).narrow(1, 50, 900);
  EXPECT_TRUE(apply_linear(x, weight, bias).allclose(at::linear(x, weight, bias), 1e-12, 1e-12));
  EXPECT_EQ(apply_linear(x.narrow(0, 0, 0), weight, bias).size(0), 0);
}

}  // namespace
}  // namespace simba
