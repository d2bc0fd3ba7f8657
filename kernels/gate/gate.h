// out[b, r] = y[b, i] * silu(z[b, i]) with i = indices[b, r], or r where indices are absent.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct GateParams {
  std::int64_t batch = 0;                 // B
  std::int64_t rows = 0;                  // R, rows of out per batch row
  std::int64_t channels = 0;              // D
  Rows<const T> y, z;                     // (B, L, D)
  const std::int64_t* indices = nullptr;  // (B, R) contiguous, optional
  Rows<T> out;                            // (B, R, D)
};

// Work items: flat rows of (B, R).
template <typename T>
void gate_cpu(const GateParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
