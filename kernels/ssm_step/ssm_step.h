// The second half of a Mamba layer up to out_proj, for one token of each of S sequences, in one kernel:
//   delta = dt_proj dt, rounded to T;   d = softplus(delta + delta_bias)
//   h <- exp(d A) h + d B u;   out = (C . h + D u) * silu(z)
// with dt, B and C side by side, as x_proj gives them.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

template <typename T>
struct SsmStepParams {
  std::int64_t sequences = 0;         // S
  std::int64_t channels = 0;          // D
  std::int64_t states = 0;            // N
  std::int64_t dt_rank = 0;           // R
  float* state = nullptr;             // (S, D, N), in place; all arrays are contiguous
  const T* u = nullptr;               // (S, D)
  const T* dt_B_C = nullptr;          // (S, R + 2 N)
  const T* z = nullptr;               // (S, D)
  const T* dt_proj = nullptr;         // (D, R)
  const float* A = nullptr;           // (D, N)
  const float* D = nullptr;           // (D)
  const float* delta_bias = nullptr;  // (D)
  T* out = nullptr;                   // (S, D)
};

// float, BFloat16 and Float16; device pointers. Capturable in a CUDA graph; repeats bit for bit, and a
// sequence's results do not depend on the others. cudaErrorInvalidValue: a size out of range.
template <typename T>
cudaError_t ssm_step_cuda(const SsmStepParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
