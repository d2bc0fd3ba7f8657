// Causal depthwise convolution along each sequence, per channel d, with K taps:
//   out_t = act(bias + sum over k of weight[k] x_{t - (K - 1) + k}),   act = silu or identity
// x before the sequence's start comes from initial_state (its K - 1 newest inputs, oldest first) or
// is 0. last_state holds the K - 1 newest inputs after the sequence, in the same order and x's own
// type.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

template <typename T>
struct CausalConv1dParams {
  using Acc = AccumulateType<T>;

  Sequences sequences;
  std::int64_t channels = 0;         // D
  std::int64_t width = 0;            // K >= 1
  Rows<const T> x;                   // (B, L, D)
  Rows<T> out;                       // (B, L, D)
  const Acc* weight = nullptr;       // (D, K) contiguous
  const Acc* bias = nullptr;         // (D), optional
  const T* initial_state = nullptr;  // (S, D, K - 1) contiguous, optional: zeros
  T* last_state = nullptr;           // (S, D, K - 1) contiguous
  bool silu = false;
};

// Work items: (sequence, tile of steps).
template <typename T>
std::int64_t causal_conv1d_work_items(const CausalConv1dParams<T>& params);
template <typename T>
void causal_conv1d_cpu(const CausalConv1dParams<T>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
