#include "csrc/ops/views.h"

#include <torch/csrc/stable/ops.h>

namespace simba::ops {

Tensor contiguous_as(const Tensor& tensor, ScalarType dtype) {
  const Tensor typed = tensor.scalar_type() == dtype ? tensor : torch::stable::to(tensor, dtype);
  return typed.is_contiguous() ? typed : torch::stable::contiguous(typed);
}

OptionalTensor contiguous_as(const OptionalTensor& tensor, ScalarType dtype) {
  return tensor ? OptionalTensor(contiguous_as(*tensor, dtype)) : std::nullopt;
}

Tensor empty(std::initializer_list<std::int64_t> sizes, ScalarType dtype, const Tensor& lead) {
  return torch::stable::empty({sizes.begin(), sizes.size()}, dtype, std::nullopt, lead.device());
}

}  // namespace simba::ops
