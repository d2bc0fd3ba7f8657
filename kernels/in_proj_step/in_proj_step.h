// The first half of a Mamba layer for one token of each of S sequences, in one kernel:
//   r = hidden + residual;   n = r / sqrt(mean(r^2) + eps) * norm_weight, rounded to T
//   (x, z) = in_proj n, x rounded to T;   u = silu(conv_bias + sum_k conv_weight[k] window[k])
// where window is a channel's last conv inputs, oldest first, x last; the state moves on by one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

template <typename T>
struct InProjStepParams {
  std::int64_t rows = 0;               // S, at most kFewRows (gemv.h)
  std::int64_t d_model = 0;
  std::int64_t channels = 0;           // D
  std::int64_t width = 0;              // K
  double eps = 0;
  const T* hidden = nullptr;           // (S, d_model); all arrays are contiguous
  const float* residual = nullptr;     // (S, d_model), optional
  const float* norm_weight = nullptr;  // (d_model)
  const T* in_proj = nullptr;          // (2 D, d_model)
  T* conv_state = nullptr;             // (S, D, K - 1), in place
  const float* conv_weight = nullptr;  // (D, K)
  const float* conv_bias = nullptr;    // (D), optional
  float* new_residual = nullptr;       // (S, d_model): r; not the memory of residual
  T* u = nullptr;                      // (S, D)
  T* z = nullptr;                      // (S, D)
};

// The S rows of n wait in the shared memory of every block: at most this many bytes.
inline constexpr std::int64_t kInProjStepBytes = 46 * 1024;

// float, BFloat16 and Float16; device pointers. Capturable in a CUDA graph; repeats bit for bit, and a
// sequence's results do not depend on the others. cudaErrorInvalidValue: a size out of range.
template <typename T>
cudaError_t in_proj_step_cuda(const InProjStepParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
