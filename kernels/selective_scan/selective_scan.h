// Mamba-1's selective scan over S sequences, per channel d and state n (Gu & Dao 2023, arXiv
// 2312.00752):
//   dt_t = softplus(delta_t + delta_bias)      (softplus and bias optional)
//   h_t  = exp(dt_t A) h_{t-1} + dt_t B_t u_t
//   y_t  = C_t . h_t + D u_t                   out_t = y_t, or y_t * silu(z_t)
// States, sums and exponentials are in AccumulateType<T>.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct SelectiveScanParams {
  using Acc = AccumulateType<T>;

  Sequences sequences;
  std::int64_t channels = 0;           // D
  std::int64_t states = 0;             // N
  Rows<const T> u, delta;              // (B, L, D)
  Rows<const T> z;                     // (B, L, D), optional
  Rows<const T> B, C;                  // (B, L, N)
  Rows<T> out;                         // (B, L, D)
  const Acc* A = nullptr;              // (D, N) contiguous, negative reals
  const Acc* D = nullptr;              // (D), optional
  const Acc* delta_bias = nullptr;     // (D), optional
  const Acc* initial_state = nullptr;  // (S, D, N) contiguous, optional: zeros
  Acc* last_state = nullptr;           // (S, D, N) contiguous
  bool delta_softplus = false;
};

// Work items are independent of one another and of the number of threads: (sequence, block of
// channels).
template <typename T>
std::int64_t selective_scan_work_items(const SelectiveScanParams<T>& params);

// Runs work items [begin, end). Instantiated for float, double, BFloat16 and Float16.
template <typename T>
void selective_scan_cpu(const SelectiveScanParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
