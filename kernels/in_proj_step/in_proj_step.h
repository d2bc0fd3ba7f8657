// The first half of a Mamba layer for one token of each of S sequences, in one kernel:
//   r = hidden + residual;   n = r / sqrt(mean(r^2) + eps) * norm_weight, rounded to T
//   (x, z) = in_proj n, x rounded to T;   u = silu(conv_bias + sum_k conv_weight[k] window[k])
// where window is a channel's last conv inputs, oldest first, x last; the state moves on by one.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

template <typename T>
struct InProjStepParams {
  using Acc = AccumulateType<T>;

  std::int64_t rows = 0;  // S, at most kFewRows (gemv.h)
  std::int64_t d_model = 0;
  std::int64_t channels = 0;  // D
  std::int64_t width = 0;     // K
  double eps = 0;
  const T* hidden = nullptr;         // (S, d_model); all arrays are contiguous
  const Acc* residual = nullptr;     // (S, d_model), optional
  const Acc* norm_weight = nullptr;  // (d_model)
  const T* in_proj = nullptr;        // (2 D, d_model)
  T* conv_state = nullptr;           // (S, D, K - 1), in place
  const Acc* conv_weight = nullptr;  // (D, K)
  const Acc* conv_bias = nullptr;    // (D), optional
  Acc* new_residual = nullptr;       // (S, d_model): r; not the memory of residual
  T* u = nullptr;                    // (S, D)
  T* z = nullptr;                    // (S, D)
};

// The S rows of n wait in the shared memory of every block: at most this many bytes.
inline constexpr std::int64_t kInProjStepBytes = 46 * 1024;
// A warp holds the taps of a channel: at most so many.
inline constexpr std::int64_t kInProjStepWidth = 32;

// CPU, in two steps. First r and n (S, d_model) of every sequence; work items: sequences.
template <typename T>
void in_proj_step_norm_cpu(const InProjStepParams<T>& params, T* normed, std::int64_t begin,
                           std::int64_t end);
// Then the rest; work items: channels.
template <typename T>
void in_proj_step_cpu(const InProjStepParams<T>& params, const T* normed, std::int64_t begin,
                      std::int64_t end);

}  // namespace simba::kernels
