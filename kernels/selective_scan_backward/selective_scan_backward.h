// Gradients of selective_scan.h. With g_t the gradient of h_t, dy_t that of y_t, from the last step
// of each sequence to its first:
//   g_t     = C_t dy_t + exp(dt_{t+1} A) g_{t+1}           (beyond the end: grad_last_state)
//   dB_t    = sum over d of g_t dt_t u_t                   dC_t = sum over d of dy_t h_t
//   d(dt)_t = sum over n of g_t (A exp(dt_t A) h_{t-1} + B_t u_t)
//   du_t    = dt_t (sum over n of g_t B_t) + D dy_t
//   dA      = sum over t of g_t dt_t exp(dt_t A) h_{t-1}
// States are recomputed from checkpoints: no tensor of (B, L, D, N) elements. All sums are taken in
// a fixed order.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct SelectiveScanBackwardParams {
  using Acc = AccumulateType<T>;

  Sequences sequences;
  std::int64_t batch = 0;              // B
  std::int64_t channels = 0;           // D
  std::int64_t states = 0;             // N
  Rows<const T> u, delta;              // (B, L, D)
  Rows<const T> z;                     // (B, L, D), optional
  Rows<const T> B, C;                  // (B, L, N)
  const Acc* A = nullptr;              // (D, N) contiguous, negative reals
  const Acc* D = nullptr;              // (D), optional
  const Acc* delta_bias = nullptr;     // (D), optional
  const Acc* initial_state = nullptr;  // (S, D, N) contiguous, optional: zeros
  bool delta_softplus = false;
  Rows<const T> grad_out;                // (B, L, D)
  const Acc* grad_last_state = nullptr;  // (S, D, N) contiguous, optional: zeros

  Rows<T> grad_u, grad_delta;         // (B, L, D)
  Rows<T> grad_z;                     // (B, L, D), where z is
  Rows<T> grad_B, grad_C;             // (B, L, N) contiguous
  Acc* grad_A = nullptr;              // (D, N) contiguous
  Acc* grad_D = nullptr;              // (D), optional
  Acc* grad_delta_bias = nullptr;     // (D), optional
  Acc* grad_initial_state = nullptr;  // (S, D, N) contiguous, optional
  Acc* scratch = nullptr;             // selective_scan_backward_scratch elements
};

// On the CPU; the CUDA launcher has a scratch of its own.
template <typename T>
std::int64_t selective_scan_backward_scratch(const SelectiveScanBackwardParams<T>& params);

// First the work items, (sequence, group of channel blocks): everything but the sums over channels
// (B, C) and over sequences (A, D, delta_bias), which are left in scratch.
template <typename T>
std::int64_t selective_scan_backward_work_items(const SelectiveScanBackwardParams<T>& params);
template <typename T>
void selective_scan_backward_cpu(const SelectiveScanBackwardParams<T>& params, std::int64_t begin,
                                 std::int64_t end);

// Then those sums: tokens of (B, L), and channels.
template <typename T>
void selective_scan_backward_sum_tokens_cpu(const SelectiveScanBackwardParams<T>& params,
                                            std::int64_t begin, std::int64_t end);
template <typename T>
void selective_scan_backward_sum_channels_cpu(const SelectiveScanBackwardParams<T>& params,
                                              std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
