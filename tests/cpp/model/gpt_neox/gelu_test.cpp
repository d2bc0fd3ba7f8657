#include "csrc/model/gpt_neox/gelu.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace simba {
namespace {

at::Tensor random_rows(std::int64_t rows, std::int64_t columns, at::ScalarType dtype) {
  return at::randn({rows, columns}, at::detail::createCPUGenerator(7),
                   at::TensorOptions(at::kDouble))
      .mul_(2)
      .to(dtype);
}

TEST(ApplyGelu, EqualsBothFormulas) {
  const at::Tensor x = random_rows(5, 37, at::kDouble);
  const at::Tensor erf = x.clone(), tanh = x.clone();
  apply_gelu(erf, /*tanh=*/false);
  apply_gelu(tanh, /*tanh=*/true);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double v = x.const_data_ptr<double>()[i];
    const double inner = std::sqrt(2 * std::numbers::inv_pi) * (v + 0.044715 * v * v * v);
    EXPECT_NEAR(erf.const_data_ptr<double>()[i], v / 2 * (1 + std::erf(v / std::numbers::sqrt2)),
                1e-12);
    EXPECT_NEAR(tanh.const_data_ptr<double>()[i], v / 2 * (1 + std::tanh(inner)), 1e-12);
  }
}

// One call for all rows would not: which elements its vector code takes depends on their number.
TEST(ApplyGelu, ARowDoesNotDependOnTheOthers) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (const bool tanh : {false, true}) {
      const at::Tensor x = random_rows(200, 37, dtype);
      const at::Tensor together = x.clone();
      apply_gelu(together, tanh);
      for (std::int64_t row = 0; row < x.size(0); ++row) {
        const at::Tensor alone = x.narrow(0, row, 1).clone();
        apply_gelu(alone, tanh);
        ASSERT_TRUE(alone[0].equal(together[row])) << "row " << row;
      }
    }
  }
}

}  // namespace
}  // namespace simba
