// Gradients of causal_conv1d.h. With p the K - 1 inputs before a sequence and then its L inputs,
// and a_t = bias + sum over k of weight[k] p[t + k]:
//   da_t = grad_out_t silu'(a_t)  (or grad_out_t)
//   dp[j] = sum over k of weight[k] da_{j-k}, plus grad_last_state[j - L] where j >= L
//   dweight[k] = sum over t of da_t p[t + k]         dbias = sum over t of da_t
// All sums are taken in a fixed order.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct CausalConv1dBackwardParams {
  using Acc = AccumulateType<T>;

  Sequences sequences;
  std::int64_t batch = 0;            // B
  std::int64_t channels = 0;         // D
  std::int64_t width = 0;            // K >= 1
  Rows<const T> x;                   // (B, L, D)
  const Acc* weight = nullptr;       // (D, K) contiguous
  const Acc* bias = nullptr;         // (D), optional
  const T* initial_state = nullptr;  // (S, D, K - 1) contiguous, optional: zeros
  bool silu = false;
  Rows<const T> grad_out;              // (B, L, D)
  const T* grad_last_state = nullptr;  // (S, D, K - 1) contiguous, optional: zeros

  Rows<T> grad_x;                   // (B, L, D)
  Acc* grad_weight = nullptr;       // (D, K) contiguous
  Acc* grad_bias = nullptr;         // (D), optional
  T* grad_initial_state = nullptr;  // (S, D, K - 1) contiguous, optional
  Acc* scratch = nullptr;           // causal_conv1d_backward_scratch elements
};

// On the CPU; the CUDA launcher has a scratch of its own.
template <typename T>
std::int64_t causal_conv1d_backward_scratch(const CausalConv1dBackwardParams<T>& params);

// First the work items, (sequence, block of channels), which leave each sequence's share of
// grad_weight and grad_bias in scratch; then the sums over sequences, by channels.
template <typename T>
std::int64_t causal_conv1d_backward_work_items(const CausalConv1dBackwardParams<T>& params);
template <typename T>
void causal_conv1d_backward_cpu(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                std::int64_t end);
template <typename T>
void causal_conv1d_backward_sum_cpu(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                    std::int64_t end);

}  // namespace simba::kernels
