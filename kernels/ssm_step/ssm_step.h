// The second half of a Mamba layer up to out_proj, for one token of each of S sequences, in one
// kernel:
//   delta = dt_proj dt, rounded to T;   d = softplus(delta + delta_bias)
//   h <- exp(d A) h + d B u;   out = (C . h + D u) * silu(z)
// with dt, B and C side by side, as x_proj gives them.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

template <typename T>
struct SsmStepParams {
  using Acc = AccumulateType<T>;

  std::int64_t sequences = 0;       // S
  std::int64_t channels = 0;        // D
  std::int64_t states = 0;          // N
  std::int64_t dt_rank = 0;         // R
  Acc* state = nullptr;             // (S, D, N), in place; all arrays are contiguous
  const T* u = nullptr;             // (S, D)
  const T* dt_B_C = nullptr;        // (S, R + 2 N)
  const T* z = nullptr;             // (S, D)
  const T* dt_proj = nullptr;       // (D, R)
  const Acc* A = nullptr;           // (D, N)
  const Acc* D = nullptr;           // (D)
  const Acc* delta_bias = nullptr;  // (D)
  T* out = nullptr;                 // (S, D)
};

// CPU. Work items: (sequence, channel), S D in all.
template <typename T>
void ssm_step_cpu(const SsmStepParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
