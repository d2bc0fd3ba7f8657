#include "csrc/model/linear.h"

#include <ATen/ops/linear.h>

#include <optional>

#include "csrc/model/operators.h"

namespace simba {

at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (ops::takes_few_rows(x) && !bias.defined()) return ops::gemv(x, weight);
  return at::linear(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
}

}  // namespace simba
