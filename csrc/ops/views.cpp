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

Tensor last_dimension_contiguous(const Tensor& tensor) {
  const std::int64_t last = tensor.dim() - 1;
  const bool given = last < 0 || tensor.size(last) <= 1 || tensor.stride(last) == 1;
  return given ? tensor : torch::stable::contiguous(tensor);
}

Tensor empty(std::initializer_list<std::int64_t> sizes, ScalarType dtype, const Tensor& lead) {
  return torch::stable::empty({sizes.begin(), sizes.size()}, dtype, std::nullopt, lead.device());
}

Tensor empty_where(bool present, std::initializer_list<std::int64_t> sizes, ScalarType dtype,
                   const Tensor& lead) {
  return present ? empty(sizes, dtype, lead) : empty({0}, dtype, lead);
}

}  // namespace simba::ops
