// out = x weight^T for few rows of x, as decoding has them: bounded by reading weight once.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

inline constexpr std::int64_t kFewRows = 4;

template <typename T>
struct GemvParams {
  std::int64_t rows = 0;      // S, at most kFewRows
  std::int64_t inner = 0;     // K
  std::int64_t outer = 0;     // M
  const T* x = nullptr;       // (S, K) contiguous
  const T* weight = nullptr;  // (M, K) contiguous
  T* out = nullptr;           // (S, M) contiguous; sums are accumulated, rounded once
};

// CPU. Work items: rows of weight.
template <typename T>
void gemv_cpu(const GemvParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
