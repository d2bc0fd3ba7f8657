// out = x weight^T for few rows of x, as decoding has them: bounded by reading weight once.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

inline constexpr std::int64_t kFewRows = 4;

template <typename T>
struct GemvParams {
  std::int64_t rows = 0;       // S, at most kFewRows
  std::int64_t inner = 0;      // K
  std::int64_t outer = 0;      // M
  const T* x = nullptr;        // (S, K) contiguous
  const T* weight = nullptr;   // (M, K) contiguous
  T* out = nullptr;            // (S, M) contiguous; sums are float, rounded once
};

// float, BFloat16 and Float16; device pointers. Capturable in a CUDA graph; repeats bit for bit, and a
// row's results do not depend on the other rows. cudaErrorInvalidValue: a size out of range.
template <typename T>
cudaError_t gemv_cuda(const GemvParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
