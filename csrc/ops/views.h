// Stable-ABI tensors as the kernels see them: typed pointers, rows, and the type the kernels
// compute in.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <type_traits>

#include "csrc/ops/checks.h"
#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::ops {

// Calls run(std::type_identity<T>{}) with the kernels' T of a data dtype (checked before).
template <typename Run>
void dispatch_data(ScalarType dtype, const Run& run) {
  switch (dtype) {
    case ScalarType::Double:
      return run(std::type_identity<double>{});
    case ScalarType::BFloat16:
      return run(std::type_identity<kernels::BFloat16>{});
    case ScalarType::Half:
      return run(std::type_identity<kernels::Float16>{});
    default:
      return run(std::type_identity<float>{});
  }
}

template <typename T>
const T* data(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <typename T>
const T* data(const OptionalTensor& tensor) {
  return tensor ? data<T>(*tensor) : nullptr;
}
template <typename T>
T* mutable_data(const Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// (B, L, C), or (S, C) as S batch rows of one position.
template <typename T>
kernels::Rows<const T> rows(const Tensor& tensor) {
  return {data<T>(tensor), tensor.stride(0), tensor.dim() == 3 ? tensor.stride(1) : 0};
}
template <typename T>
kernels::Rows<const T> rows(const OptionalTensor& tensor) {
  return tensor ? rows<T>(*tensor) : kernels::Rows<const T>{};
}
template <typename T>
kernels::Rows<T> mutable_rows(const Tensor& tensor) {
  return {mutable_data<T>(tensor), tensor.stride(0), tensor.dim() == 3 ? tensor.stride(1) : 0};
}

// `tensor` contiguous and in `dtype`: itself where it is so already.
Tensor contiguous_as(const Tensor& tensor, ScalarType dtype);
OptionalTensor contiguous_as(const OptionalTensor& tensor, ScalarType dtype);

// `tensor` with element stride 1 in its last dimension: itself where it has that. Gradients come in
// any strides.
Tensor last_dimension_contiguous(const Tensor& tensor);

// Uninitialised, on the device of `lead`.
Tensor empty(std::initializer_list<std::int64_t> sizes, ScalarType dtype, const Tensor& lead);

// The same where `present`, else of shape (0): the gradient of an absent argument.
Tensor empty_where(bool present, std::initializer_list<std::int64_t> sizes, ScalarType dtype,
                   const Tensor& lead);

}  // namespace simba::ops
